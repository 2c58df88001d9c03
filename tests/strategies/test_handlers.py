"""A handler that nothing would call, or not as it is written, is a mistake before a start."""

from decimal import Decimal
from pathlib import Path

import pytest

from messages.errors import ConfigError
from messages.ids import Symbol
from messages.values import Instrument
from strategies import Strategy, build

BTC = Instrument(symbol=Symbol("BTC/USDT"))

MINE = """
from strategies.protocol import Strategy

class Mine(Strategy):
    def __init__(self, params, symbol, order_notional, instrument):
        pass

    {}
"""


def made(tmp_path: Path, body: str) -> Strategy:
    file = tmp_path / "mine.py"
    file.write_text(MINE.format(body))
    return build(f"{file}:Mine", {}, BTC.symbol, Decimal(100), BTC)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            "def on_candel(self, candle, position): pass",
            'has on_candel, which nothing calls; did you mean "on_candle"?',
        ),
        (
            "def onCandle(self, candle, position): pass",
            'has onCandle, which nothing calls; did you mean "on_candle"?',
        ),
        (
            "def next(self): pass",
            "decides nothing: give it one of on_candle, on_bar, on_trade, on_tick, on_book,"
            " on_timer",
        ),
        ("def on_fill(self, fill, order): pass", "decides nothing: give it one of on_candle"),
        (
            "def on_bar(self, bar, timeframe, position): pass",
            'has on_bar and no bars: say which, as timeframes = ("5m",)',
        ),
        (
            "def on_timer(self, due_ns, position): pass",
            "has on_timer and no timer: say how often, as timer_s = 60",
        ),
        (
            "def on_candle(self, candle): pass",
            ": on_candle must take (self, candle, position)",
        ),
        (
            'timeframes = ("5m",)\n    def on_bar(self, bar, position): pass',
            ": on_bar must take (self, bar, timeframe, position)",
        ),
        (
            "async def on_candle(self, candle, position): pass",
            ": on_candle is async, and nothing awaits it: write def",
        ),
        (
            "def on_candle(self, candle, position): yield candle",
            ": on_candle has a yield: return its decisions, in a list where there are several",
        ),
    ],
)
def test_a_handler_that_would_be_silent_is_one_sentence(
    tmp_path: Path, body: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, body)

    (problem,) = caught.value.problems
    assert says in problem


@pytest.mark.parametrize(
    "body",
    [
        "def on_candle(self, candle, position): pass",
        "def on_candle(self, *everything): pass",
        "def on_candle(self, candle, position, more=1): pass",
        "on_candle = staticmethod(lambda candle, position: None)",
        "def on_candle(self, c, p): pass\n    def on_candles(self): pass",  # its own helper
        "def on_candle(self, c, p): pass\n    def on_signal(self): pass",
        "def on_book(self, book, position): pass",
        'timeframes = ("5m",)\n    def on_bar(self, bar, timeframe, position): pass',
        "timer_s = 60\n    def on_timer(self, due_ns, position): pass",
        "timer_s = 0  # none, by its own choice\n    def on_timer(self, due_ns, position): pass",
    ],
)
def test_what_is_called_as_it_is_written_is_no_mistake(tmp_path: Path, body: str) -> None:
    assert isinstance(made(tmp_path, body), Strategy)


def test_a_handler_may_be_given_to_the_object_alone(tmp_path: Path) -> None:
    body = "pass\n\n    def __new__(cls): made = object.__new__(cls);"
    body += " made.on_candle = lambda candle, position: None; return made"

    assert isinstance(made(tmp_path, body), Strategy)


def mistakes_of(tmp_path: Path, body: str) -> list[str]:
    file = tmp_path / "bare.py"
    file.write_text(f"from strategies import Strategy\n\nclass Bare(Strategy):\n    {body}\n")
    with pytest.raises(ConfigError) as caught:
        build(f"{file}:Bare", {}, BTC.symbol, Decimal(100), BTC)
    return [problem.removeprefix(f"{file}:Bare") for problem in caught.value.problems]


def test_a_class_without_a_constructor_is_told_which_to_write_and_what_else_is_wrong(
    tmp_path: Path,
) -> None:
    assert mistakes_of(tmp_path, "def on_candle(self, candle): pass") == [
        " has no constructor: write def __init__(self, params, symbol, order_notional, instrument)",
        ": on_candle must take (self, candle, position)",
    ]


def test_a_constructor_that_takes_something_else_is_told_what_to_take(tmp_path: Path) -> None:
    assert mistakes_of(tmp_path, "def __init__(self, params): pass") == [
        ": __init__ must take (self, params, symbol, order_notional, instrument)"
    ]


@pytest.mark.parametrize("takes", ["*given", "params, symbol, notional, grid, more=None"])
def test_a_constructor_may_name_what_it_takes_as_it_likes(tmp_path: Path, takes: str) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        MINE.format("def on_trade(self, trade, position): pass").replace(
            "params, symbol, order_notional, instrument", takes
        )
    )

    assert isinstance(build(f"{file}:Mine", {}, BTC.symbol, Decimal(100), BTC), Strategy)


def test_params_that_are_a_value_are_no_defaults_and_said_to_be_none(tmp_path: Path) -> None:
    assert mistakes_of(tmp_path, "Params = {'fast': 5}")[0] == (
        ": Params is no class: write class Params(msgspec.Struct), a field for each"
    )
