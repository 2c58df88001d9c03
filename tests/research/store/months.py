"""Months of candles, by number, put into a data directory."""

from pathlib import Path

from research.merging import Merged
from research.store import SeriesWriter
from tests.research.candles import SERIES, row

MONTH = 31 * 24 * 60


def put(root: Path, numbers: list[int], *, close: str = "105.5", replace: bool = False) -> Merged:
    with SeriesWriter(root, SERIES) as writer:
        return writer.add([row(number, close) for number in numbers], replace=replace)
