"""Writes a CSV of generated one-minute candles: python make_candles.py FILE [COUNT]."""

import csv
import sys
from itertools import islice
from pathlib import Path

from exchanges.demo import DemoSource
from messages.ids import NS_PER_MS, Symbol


def main(path: Path, count: int) -> None:
    """Write `count` candles, each with the time at which it opened."""
    source = DemoSource(Symbol("BTC/USDT"))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ts", "open", "high", "low", "close", "volume"])
        for candle in islice(source.events(), count):
            opened_ms = candle.ts_open_ns // NS_PER_MS
            prices = (candle.open, candle.high, candle.low, candle.close)
            writer.writerow([opened_ms, *prices, candle.volume])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
