import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages.errors import ConfigError
from messages.ids import Symbol
from messages.values import Instrument
from strategies import Strategy, build, check_params, names
from strategies.sma_cross import SmaCross

BTC, ETH = (Instrument(symbol=Symbol(one)) for one in ("BTC/USDT", "ETH/USDT"))

DOCUMENT = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()

ALL = [
    "bollinger_reversion",
    "donchian_breakout",
    "ema_cross",
    "ensemble",
    "grid",
    "macd_trend",
    "pairs",
    "rsi_reversion",
    "sma_cross",
    "time_series_momentum",
]
NEEDED: dict[str, dict[str, Any]] = {
    "ema_cross": {"fast": 2, "slow": 3},
    "ensemble": {"members": [{"uses": "rsi_reversion"}]},
    "grid": {"lower": "100", "upper": "200"},
    "sma_cross": {"fast": 2, "slow": 3},
}

MINE = """
from collections.abc import Sequence
from strategies.protocol import Strategy

class Mine(Strategy):
    def __init__(self, params, symbol, order_notional, instrument):
        self.params = params
        if params.get("broken"):
            raise RuntimeError("no such market")

    def on_candle(self, candle, position):
        pass

class NotAStrategy:
    pass
"""


def mistakes(uses: str, params: dict[str, Any]) -> list[str]:
    try:
        return check_params(uses, params)
    except ConfigError as error:
        return error.problems


def make(uses: str, params: dict[str, Any]) -> Strategy:
    others = {ETH.symbol: ETH} if uses == "pairs" else None
    return build(uses, params, BTC.symbol, Decimal(100), BTC, others)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_the_registered_names_are_listed_in_order() -> None:
    assert names() == ALL


@pytest.mark.parametrize("name", ALL)
def test_every_registered_name_has_a_strategy_with_checked_parameters(name: str) -> None:
    (problem,) = check_params(name, {"no_such_parameter": 1, **NEEDED.get(name, {})})

    assert problem.startswith(f'{name} has no parameter "no_such_parameter" (it takes: ')
    assert make(name, NEEDED.get(name, {})).warmup_events >= 0


def test_strategies_that_are_not_used_are_not_imported() -> None:
    code = (
        "import sys, strategies; strategies.check_params('sma_cross', {});"
        "print(*sorted(one for one in sys.modules if one.startswith('strategies.')))"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )

    imported = {name.removeprefix("strategies.") for name in done.stdout.split()}
    assert imported & set(ALL) == {"sma_cross"}
    assert not imported & {"rolling", "wilder", "momentum", "position_sizing"}


def test_a_registered_strategy_is_built_from_its_table() -> None:
    strategy = make("sma_cross", {"fast": 10, "slow": 30})

    assert isinstance(strategy, SmaCross)
    assert strategy.warmup_events == 30


@pytest.mark.parametrize(
    ("uses", "params", "problems"),
    [
        ("sma_cross", {"fast": 10, "slow": 30}, []),
        ("sma_crss", {}, ['there is no strategy "sma_crss"; did you mean "sma_cross"?']),
        (
            "zzz",
            {},
            [f'there is no strategy "zzz" (known: {", ".join(ALL)}; or path/to/file.py:ClassName)'],
        ),
        (
            "sma_cross",
            {"fats": 10, "slow": 30},
            [
                'sma_cross has no parameter "fats"; did you mean "fast"?',
                'sma_cross needs the parameter "fast"',
            ],
        ),
        (
            "sma_cross",
            {"fast": 1, "slow": 2, "zzz": 1},
            ['sma_cross has no parameter "zzz" (it takes: fast, slow)'],
        ),
        (
            "sma_cross",
            {"fast": "10", "slow": True},
            ["fast = '10': expected int, got str", "slow = True: expected int, got bool"],
        ),
        ("ema_cross", {"fast": 1.5, "slow": 3}, ["fast = 1.5: expected int, got float"]),
        ("donchian_breakout", {"entry": 1}, ["entry = 1: expected 2 to 10000 (the nearest is 2)"]),
        (
            "donchian_breakout",
            {"entry": 20, "exit": 30, "capital": "-5"},
            ["capital must be more than 0, not -5", "exit must be at most entry (20), not 30"],
        ),
        ("donchian_breakout", {"risk": float("nan")}, ["risk = nan: expected float > 0.0"]),
        ("donchian_breakout", {"capital": "NaN"}, ["capital must be more than 0, not NaN"]),
        (
            "rsi_reversion",
            {"oversold": 50, "leave": 30},
            ["leave must be greater than oversold (50.0), not 30.0"],
        ),
        (
            "bollinger_reversion",
            {"period": 5, "width": 2},
            [
                "width must be less than 2, the farthest that one of 5 closes can be from their "
                "mean, not 2.0"
            ],
        ),
        ("macd_trend", {"slow": 12}, ["slow must be greater than fast (12), not 12"]),
        ("time_series_momentum", {"target": 0}, ["target = 0: expected float > 0.0"]),
        (
            "grid",
            {"lower": "200", "upper": "100"},
            ["upper must be greater than lower (200), not 100"],
        ),
        ("grid", {"lower": "inf", "upper": "100"}, ["lower must be more than 0, not Infinity"]),
        (
            "grid",
            {"lower": "1", "upper": "2", "spacing": "log"},
            ["spacing = 'log': invalid enum value 'log'"],
        ),
        (
            "ensemble",
            {"members": [{"uses": "rsi_reversion", "params": {"period": 0}}, {"uses": "grid"}]},
            [
                "members[0]: period = 0: expected 2 to 500 (the nearest is 2)",
                "members[1]: grid does not vote (these do: bollinger_reversion, "
                "donchian_breakout, macd_trend, rsi_reversion, time_series_momentum)",
            ],
        ),
        (
            "ensemble",
            {"members": [{"uses": "rsi"}]},
            [
                'members[0]: there is no voter "rsi" (there are: bollinger_reversion, '
                "donchian_breakout, macd_trend, rsi_reversion, time_series_momentum)"
            ],
        ),
        (
            "ema_cross",
            {"fast": 0, "slow": -1},
            [
                "fast = 0: expected 1 to 10000 (the nearest is 1)",
                "slow = -1: expected 2 to 10000 (the nearest is 2)",
            ],
        ),
        ("sma_cross", {"fast": 5, "slow": 3}, ["slow must be greater than fast (5), not 3"]),
    ],
)
def test_every_mistake_in_a_strategy_block_is_a_sentence(
    uses: str, params: dict[str, Any], problems: list[str]
) -> None:
    assert mistakes(uses, params) == problems


def test_building_with_mistakes_raises_all_of_them() -> None:
    with pytest.raises(ConfigError) as caught:
        make("sma_cross", {"fast": 0, "slow": 0})

    assert len(caught.value.problems) == 2


def test_a_strategy_in_a_file_gets_its_table_as_it_is(mine: Path) -> None:
    strategy = make(f"{mine}:Mine", {"anything": 1})

    assert strategy.params == {"anything": 1}  # type: ignore[attr-defined]  # as it is written there


@pytest.mark.parametrize(
    ("class_name", "part"),
    [
        ("Mien", 'has no class "Mien"; did you mean "Mine"?'),
        ("NotAStrategy", "NotAStrategy must inherit strategies.protocol.Strategy"),
    ],
)
def test_a_file_without_such_a_strategy_is_a_clear_mistake(
    mine: Path, class_name: str, part: str
) -> None:
    (problem,) = mistakes(f"{mine}:{class_name}", {})

    assert part in problem


def test_a_file_that_is_not_there_is_a_clear_mistake() -> None:
    assert mistakes("no/such.py:Mine", {}) == ["there is no strategy file no/such.py"]


def test_a_file_without_a_class_name_is_a_clear_mistake() -> None:
    assert mistakes("mine.py", {}) == ['"mine.py" must look like path/to/file.py:ClassName']


def test_a_file_that_fails_when_run_is_a_mistake_with_its_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("1 / 0")

    (problem,) = mistakes(f"{path}:Mine", {})

    assert "cannot be run: ZeroDivisionError" in problem


def test_a_constructor_that_fails_is_a_config_mistake(mine: Path) -> None:
    with pytest.raises(ConfigError, match="could not be made: RuntimeError: no such market"):
        make(f"{mine}:Mine", {"broken": True})


LONGEST: dict[str, dict[str, Any]] = {
    "bollinger_reversion": {"period": 10_000},
    "donchian_breakout": {"entry": 10_000, "exit": 10_000, "atr_period": 500},
    "macd_trend": {"fast": 499, "slow": 500, "signal": 500, "trend": 10_000},
    "rsi_reversion": {"period": 500},
    "time_series_momentum": {"lookback": 10_000, "volatility_period": 500},
}


@pytest.mark.parametrize("name", sorted(LONGEST))
def test_the_longest_parameters_ask_for_a_warm_up_that_a_feed_can_give(name: str) -> None:
    assert make(name, LONGEST[name]).warmup_events <= 17_000
    for key in LONGEST[name]:
        (problem,) = check_params(name, {key: 10_001})
        assert f"{key} = 10001: expected 2 to " in problem


# ------------------------------------------------------------------ what a class declares

DECLARES = """
from strategies.protocol import Strategy

class Declares(Strategy):
    {}

    def __init__(self, params, symbol, order_notional, instrument):
        pass

    def on_candle(self, candle, position):
        pass
"""


def declaring(tmp_path: Path, what: str) -> str:
    path = tmp_path / "declares.py"
    path.write_text(DECLARES.format(what))
    return f"{path}:Declares"


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("warmup_events = -100", "warmup_events = -100, expected a whole number, 0 or more"),
        ("warmup_events = 2.5", "warmup_events = 2.5, expected a whole number"),
        (
            "timeframes, warmup_bars = ('5m',), {'5m': '3'}",
            "warmup_bars of \"5m\" = '3', expected a whole number",
        ),
        ("timeframes, warmup_bars = ('5m',), {'5m': -3}", 'warmup_bars of "5m" = -3, expected'),
        ("warmup_bars = {'5m': 3}", 'warmup_bars of "5m", which is not one of its timeframes'),
        ("timeframes = ('5x',)", "timeframes: '5x' is no timeframe"),
        ("timer_s = 1.5", "timer_s = 1.5, expected whole seconds"),
    ],
)
def test_what_it_declares_wrongly_is_one_sentence(tmp_path: Path, what: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(declaring(tmp_path, what), {})

    (problem,) = caught.value.problems
    assert says in problem


def test_a_warm_up_that_is_known_only_of_an_object_is_no_mistake(tmp_path: Path) -> None:
    uses = declaring(tmp_path, "warmup_events = property(lambda self: 7)")

    assert check_params(uses, {}) == []
    assert make(uses, {}).warmup_events == 7


@pytest.mark.parametrize(
    ("feed", "fits"), [("1m", True), ("5m", True), ("2m", False), ("1h", False)]
)
def test_bars_that_the_feed_does_not_make_are_a_mistake(
    tmp_path: Path, feed: str, fits: bool
) -> None:
    problems = check_params(declaring(tmp_path, "timeframes = ('5m',)"), {}, feed)

    assert problems == [] if fits else "needs bars of 5m" in problems[0]


@pytest.mark.parametrize("name", ALL)
def test_each_says_where_its_rule_is_from_what_it_is_and_in_which_units(name: str) -> None:
    module = sys.modules[type(make(name, NEEDED.get(name, {}))).__module__]
    told = module.__doc__ or ""

    assert "\nSource: " in told
    assert "No edge is claimed" in " ".join(told.split())
    assert "\nRule, at the close" in told or "\nRule, when both" in told
    for name_of_rule in ("buy ", "sell ") if name not in ("grid", "time_series_momentum") else ():
        assert name_of_rule in told
    params: Any = type(make(name, NEEDED.get(name, {}))).Params  # type: ignore[attr-defined]  # those here have some
    units = f"{told} {params.__doc__}"
    assert any(unit in units for unit in ("in candles", "in moments", "in quote currency"))
    for field in msgspec.structs.fields(params):
        row = re.search(rf"^\| `{field.name}` \| .+ \| (.+) \|$", DOCUMENT, re.MULTILINE)
        assert row is not None, f"docs/strategies.md tells no unit of {field.name}"
