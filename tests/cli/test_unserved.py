"""A strategy that decides on what its recording does not show is refused, and never idles."""

import io
from pathlib import Path
from typing import Any

import pytest

import cli
from exchanges.demo import DemoSource
from messages.ids import NS_PER_MS, Symbol

CONFIG = """
name = "x"
run_dir = "run"
[feed]
type = "replay"
path = "{market}"
symbols = ["BTC/USDT"]
speed = 0
[[strategy]]
id = "s"
{strategy}
"""
SMA = 'uses = "sma_cross"\nparams = { fast = 5, slow = 15 }'
OWN = """
from strategies import Strategy

class Own(Strategy):
    {declares}
    def __init__(self, *_):
        {made}

    {handler}
"""


def candles(path: Path) -> None:
    rows = [
        f"{c.ts_open_ns // NS_PER_MS},{c.open},{c.high},{c.low},{c.close},{c.volume}"
        for c in DemoSource(Symbol("BTC/USDT"), limit=50).events()
    ]
    path.write_text("ts,open,high,low,close,volume\n" + "\n".join(rows))


def trades(path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet as pq

    times = [1_704_067_200_000 + n * 1_000 for n in range(50)]
    columns: dict[str, list[Any]] = {"ts": times, "price": [1.0] * 50, "qty": [1.0] * 50}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    path.write_bytes(buffer.getvalue())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(folder: Path, market: str, strategy: str = SMA) -> str:
    (folder / "bot.toml").write_text(CONFIG.format(market=market, strategy=strategy))
    return str(folder / "bot.toml")


def own(folder: Path, handler: str, *, declares: str = "", made: str = "pass") -> str:
    """Write a strategy of its own; say how a configuration uses it."""
    body = OWN.format(handler=handler, declares=declares, made=made)
    (folder / "own.py").write_text(body)
    return 'uses = "own.py:Own"'


ON_CANDLE = "def on_candle(self, candle, position): return None"
ON_TRADE = "def on_trade(self, trade, position): return None"
ON_BOOK = "def on_book(self, book, position): return None"
ON_TIMER = "def on_timer(self, due_ns, position): return None"


@pytest.mark.parametrize("command", ["check", "start", "backtest"])
def test_trades_alone_are_refused_to_who_decides_on_candles(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    trades(folder / "trades.parquet")

    assert cli.main([command, config(folder, "trades.parquet")]) == 2

    told = capsys.readouterr()
    assert told.err == (
        f"watchkeeper: strategy s decides on candles (on_candle), and {folder / 'trades.parquet'}"
        " holds trades alone, so it would never trade: give it candles (watchkeeper data"
        " download), or write on_trade\n"
    )
    assert told.out == ""
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (ON_TRADE, "strategy s decides on trades (on_trade), and "),
        (ON_BOOK, "strategy s decides on the book alone (on_book), which no recording has"),
    ],
)
def test_candles_alone_are_refused_to_who_decides_on_something_else(
    folder: Path, capsys: pytest.CaptureFixture[str], handler: str, said: str
) -> None:
    candles(folder / "candles.csv")

    assert cli.main(["check", config(folder, "candles.csv", own(folder, handler))]) == 2

    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("handler", "declares", "made"),
    [
        (ON_TRADE, "", "pass"),
        (f"{ON_CANDLE}\n    {ON_TRADE}", "", "pass"),
        (ON_TIMER, "timer_s = 60", "pass"),
        (ON_CANDLE, "", "self.on_trade = lambda trade, position: None"),
    ],
)
def test_one_handler_that_is_called_is_enough(
    folder: Path, handler: str, declares: str, made: str
) -> None:
    trades(folder / "trades.parquet")
    strategy = own(folder, handler, declares=declares, made=made)

    assert cli.main(["check", config(folder, "trades.parquet", strategy)]) == 0


def test_candles_for_who_decides_on_candles_are_fine(folder: Path) -> None:
    candles(folder / "candles.csv")

    assert cli.main(["check", config(folder, "candles.csv")]) == 0


def test_a_file_that_cannot_be_read_is_left_to_who_opens_it(folder: Path) -> None:
    (folder / "rubbish.parquet").write_bytes(b"PAR1 not really")

    assert cli.main(["check", config(folder, "rubbish.parquet")]) == 0
