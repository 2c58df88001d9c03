"""Markets in files: generated ones, and one that crosses itself often."""

from pathlib import Path

from exchanges.demo import DemoSource
from messages.ids import NS_PER_MS, Symbol


def candles_in(folder: Path, count: int = 3_000) -> dict[str, Path]:
    """So many generated candles in a file."""
    lines = [
        ",".join(map(str, (c.ts_open_ns // NS_PER_MS, c.open, c.high, c.low, c.close, c.volume)))
        for c in DemoSource(Symbol("BTC/USDT"), limit=count).events()
    ]
    (folder / "candles.csv").write_text("\n".join(lines))
    return {"BTC/USDT": folder / "candles.csv"}


def crossing_candles(folder: Path, count: int) -> Path:
    """So many candles of a market that goes up an hour and down an hour, and again."""
    rows = ["ts,open,high,low,close,volume"]
    for minute in range(count):
        close = 100 + (minute % 60 if minute % 120 < 60 else 60 - minute % 60) / 10
        rows.append(f"{1_700_000_040_000 + minute * 60_000},{close},{close},{close},{close},50")
    path = folder / "candles.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
