"""What `backtest` refuses: words, files and configurations that cannot be, each in one sentence."""

from pathlib import Path

import pytest

import cli
from tests.cli.backtesting import APART, backtest_of


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["examples/live.toml"], "say with --data which files to use"),
        (["examples/live.toml", "--data", "none.csv"], 'there is no file "'),
        (["examples/two_symbols.toml", "--data", "a.csv", "b.csv", "c.csv"], "got 3 for 2 symbols"),
        (["examples/live.toml", "--data", "a.csv", "BTC/USDT=b.csv"], "each is SYMBOL=FILE"),
        (["none.toml"], "cannot be read: no such file"),
        (
            ["examples/live.toml", "--data", "ETH/USDT=candles.csv"],
            "--data ETH/USDT=...: examples/live.toml does not follow ETH/USDT; its feed.symbols"
            " are BTC/USDT",
        ),
        (
            ["examples/pairs.toml", "--data", "BTC/USDT=candles.csv"],
            'strategy[0].symbols[0]: got "ETH/USDT", expected one of the feed\'s: BTC/USDT',
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    market: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert cli.main(["backtest", *words]) == 2
    said = capsys.readouterr().err

    assert sentence in said
    assert "Traceback" not in said


@pytest.mark.parametrize("body", ["on_book = lambda *_: None", "on_tick = lambda *_: None"])
def test_one_that_decides_on_the_book_alone_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    assert backtest_of(tmp_path, body) == 2

    (told,) = capsys.readouterr().err.splitlines()
    assert "strategy m decides on the book alone (on_book), which no recording has: run it" in told


def test_check_says_what_only_the_constructor_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(
        'name = "c"\n[feed]\ntype = "demo"\n[[strategy]]\nid = "m"\nuses = "pairs"\n'
    )

    assert cli.main(["check", str(tmp_path / "c.toml")]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "strategy m: pairs could not be made: ValueError: needs two, such as symbols" in said


SYMBOLS = """
name = "two"
[feed]
type = "ccxt"
symbols = ["BTC/USDT", "ETH/USDT"]
[venue]
exchange = "binance"
{venue}
[[strategy]]
id = "m"
uses = "sma_cross"
{symbol}
[strategy.params]
fast = 2
slow = 3
"""


def backtest_with(tmp_path: Path, data: list[str], symbol: str = "", venue: str = "") -> int:
    """Run a configuration of BTC and ETH on named files."""
    (tmp_path / "c.toml").write_text(SYMBOLS.format(symbol=symbol, venue=venue))
    (tmp_path / "a.csv").write_text(APART)
    named = [f"{one}={tmp_path / 'a.csv'}" for one in data]
    return cli.main(["backtest", str(tmp_path / "c.toml"), "--data", *named])


def test_a_file_for_another_symbol_never_becomes_the_market_of_a_strategy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A strategy without a symbol trades the feed's first, whichever files are given."""
    assert backtest_with(tmp_path, ["ETH/USDT"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith("--data gives no file for BTC/USDT, which strategy m trades")

    assert backtest_with(tmp_path, ["ETH/USDT"], symbol='symbol = "ETH/USDT"') == 0
    assert backtest_with(tmp_path, ["BTC/USDT"]) == 0
    assert backtest_with(tmp_path, ["ETH/USDT", "BTC/USDT"]) == 0


def test_coins_of_a_symbol_that_has_no_file_are_no_mistake_in_the_balances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venue = '[venue.balances]\nBTC = "1"\nETH = "2"'

    assert backtest_with(tmp_path, ["BTC/USDT"], venue=venue) == 0
    assert backtest_with(tmp_path, ["BTC/USDT"], venue=f'{venue}\nusdt = "5"') == 2

    assert "venue.balances.usdt: no symbol has it" in capsys.readouterr().err
    assert backtest_with(tmp_path, ["BTC/USDT"], venue="balances = 5") == 2
