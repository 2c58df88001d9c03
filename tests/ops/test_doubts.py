"""An order size that risk refuses every time is told before anybody waits for a first order."""

import tomllib
from pathlib import Path

import pytest

from ops.config import parse
from ops.doubts import doubts_of
from tests.cli.runs import command

CONFIG = """
name = "x"
[feed]
type = "demo"
symbols = ["BTC/USDT", "ETH/BTC"]
limit = 5
[venue.balances]
USDT = "10000"
BTC = "1"
[[strategy]]
id = "s"
uses = "{uses}"
symbols = [{symbols}]
{size}
[risk]
{risk}
"""
USDT, BTC = '"BTC/USDT"', '"ETH/BTC"'


def doubts(size: str, risk: str = "", symbols: str = USDT, uses: str = "mine.py:Mine") -> list[str]:
    text = CONFIG.format(size=size, risk=risk, symbols=symbols, uses=uses)
    return doubts_of(parse(tomllib.loads(text), Path()))


def test_an_order_that_is_larger_than_the_largest_allowed_is_told() -> None:
    assert doubts("order_notional = 1500") == [
        "strategy s: order_notional = 1500 is more than risk.max_order_notional = 1000 USDT:"
        " an entry of that size will be refused"
    ]


@pytest.mark.parametrize(
    ("size", "risk", "symbols"),
    [
        ("", "", USDT),
        ('order_notional = "1000"', "", USDT),
        ("order_notional = 1500", "max_order_notional = 1500", USDT),
        ("params = { order_notional = true }", "", USDT),
        ('params = { order_notional = "much" }', "", USDT),
        ("params = { order_notional = 1500.5 }", "", USDT),
        ("params = { notional = 1500 }", "", USDT),
        ("order_notional = 5", 'max_order_notional = { USDT = "5", BTC = "0.1" }', USDT),
    ],
)
def test_what_fits_or_tells_no_amount_is_not(size: str, risk: str, symbols: str) -> None:
    assert doubts(size, risk, symbols) == []


@pytest.mark.parametrize(
    ("size", "risk", "symbols", "said"),
    [
        ('params = { order_notional = "1500" }', "", USDT, "params.order_notional = 1500 is more"),
        ("", "max_order_notional = 50", USDT, "order_notional = 100 is more than"),
        ("", "max_position_notional = 50", USDT, "than risk.max_position_notional = 50 USDT: an"),
        ("", 'max_order_notional = { USDT = "500", BTC = "0.1" }', BTC, "= 0.1 BTC: an entry"),
        ("", 'max_order_notional = { USDT = "500", BTC = "0.1" }', f"{USDT}, {BTC}", "= 0.1 BTC"),
    ],
)
def test_each_amount_is_held_against_the_limit_of_its_currency(
    size: str, risk: str, symbols: str, said: str
) -> None:
    (sentence,) = doubts(size, risk, symbols)

    assert said in sentence


@pytest.mark.slow
@pytest.mark.parametrize("words", [("check",), ("start", "--run-dir", "run"), ("backtest",)])
def test_a_command_tells_it_on_stderr_and_goes_on(tmp_path: Path, words: tuple[str, ...]) -> None:
    size = "order_notional = 1500\nparams = { fast = 2, slow = 4 }"
    text = CONFIG.format(size=size, risk="", symbols=USDT, uses="sma_cross")
    (tmp_path / "c.toml").write_text(text.replace("limit", "speed = 0\nlimit"))

    # In a process of its own: a start takes the signals of the one that it is in.
    told = command(words[0], "c.toml", *words[1:], cwd=tmp_path)

    assert told.returncode == 0
    assert "watchkeeper: strategy s: order_notional = 1500 is more than risk.max_" in told.stderr
    assert "will be refused" not in told.stdout
