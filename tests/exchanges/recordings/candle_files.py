"""Minutes of one market, as files of every format, and what is read of them."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchanges.replay import ReplaySource
from messages.ids import Symbol
from messages.market import Candle

BTC = Symbol("BTC/USDT")
AT_ONE_MS = 1_704_067_260_000
NAMES = ("open", "high", "low", "close", "volume")
PRICES = ("100.10", "110", "90", "105.123456789012345678", "7")


def line(number: int, factor: int = 1) -> str:
    return ",".join((str((AT_ONE_MS + number * 60_000) * factor), *PRICES))


LISTS_OF: dict[str, Callable[[list[str]], str]] = {
    "a.csv": "\n".join,
    "a.json": lambda rows: "[[" + "],[".join(rows) + "]]",
}


def read(*paths: Path) -> tuple[ReplaySource, list[Candle]]:
    source = ReplaySource(paths, BTC)
    return source, [event for event in source.events() if isinstance(event, Candle)]


def put(path: Path, numbers: range) -> None:
    """Write minutes in the format that the file is named by."""
    rows = list(map(line, numbers))
    if path.suffix == ".parquet":
        names = ("ts", *NAMES)
        fields = zip(*(row.split(",") for row in rows), strict=True)
        columns = dict(zip(names, map(list, fields), strict=True))
        write(path, {**columns, "ts": list(map(int, columns["ts"]))})
        return
    text = LISTS_OF["a.json" if ".json" in path.name else "a.csv"](rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def write(path: Path, columns: dict[str, Any]) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    write_table(path, pa.table(columns))


def write_table(path: Path, table: Any) -> None:
    from pyarrow import feather, parquet

    if path.suffix == ".feather":
        feather.write_feather(table, str(path))
    else:
        parquet.write_table(table, path)
