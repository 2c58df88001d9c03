"""Candles by number: minute n after a moment in January 2024."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from exchanges.replay import ReplaySource
from messages.ids import Symbol
from messages.market import Candle
from research.candle_row import StoredRow
from research.series import Series

Ask = Callable[..., tuple[int, list[dict[str, Any]]]]

T0_MS = 1_704_067_200_000
"""2024-01-01 00:00 UTC."""
MINUTE_MS = 60_000
BTC = Symbol("BTC/USDT")
SERIES = Series("binance", BTC, "1m")
NAMED = ("--symbol", BTC, "--exchange", "binance")


def row(number: int, close: str = "105.5") -> StoredRow:
    """Minute number n."""
    return T0_MS + number * MINUTE_MS, "100", "110.25", "90", close, str(number % 7)


def csv(path: Path, numbers: Iterable[int], close: str = "105.5", factor: int = 1) -> Path:
    """Write candles by number, without a header."""
    rows = (row(number, close) for number in numbers)
    path.write_text("".join(",".join((str(ts * factor), *rest)) + "\n" for ts, *rest in rows))
    return path


def numbers_in(folder: Path, timeframe: str = "1m") -> list[int]:
    """Read a folder of the store with the replay feed; give the candles' numbers."""
    candles = candles_in(folder, timeframe)
    return [(one.ts_open_ns // 1_000_000 - T0_MS) // MINUTE_MS for one in candles]


def candles_in(folder: Path, timeframe: str = "1m") -> list[Candle]:
    """Read a folder of the store with the replay feed; nothing in it may be odd."""
    source = ReplaySource(folder, BTC, timeframe)
    found = [event for event in source.events() if isinstance(event, Candle)]
    assert source.stats.problems == []
    return found


def rows_of(path: Path) -> list[StoredRow]:
    """Read a month's file as any tool does."""
    from pyarrow import parquet

    table: Any = parquet.read_table(path)
    names = ("open", "high", "low", "close", "volume")
    times = [round(moment.timestamp() * 1000) for moment in table["ts"].to_pylist()]
    return list(zip(times, *(table[name].to_pylist() for name in names), strict=True))
