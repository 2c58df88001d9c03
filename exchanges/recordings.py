"""A file of candles or trades, whatever its format; and the files of a folder."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exchanges.csv_rows import csv_row_guess, csv_rows
from exchanges.json_rows import json_rows
from exchanges.parquet_rows import FEATHER_SUFFIX, ParquetTable
from exchanges.row_filter import Complaints, Row
from messages.errors import DataError
from messages.ids import Symbol

_TABLES = frozenset({".parquet", ".pq", FEATHER_SUFFIX})


class Recording:
    """One file. The suffix says its format, its columns say what it holds.

    ``.parquet`` and ``.feather`` are tables, ``.json`` and ``.json.gz`` freqtrade's lists; anything
    else is CSV, which may be packed as ``.gz`` or ``.zip``.

    However often it is read, it is the same file as when this was made: a place in it, such as
    that of a feed that starts anew, means the same row.

    Raises:
        DataError: a table cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = ParquetTable(path) if path.suffix.lower() in _TABLES else None
        bare = path.with_suffix("") if path.suffix.lower() in (".gz", ".zip") else path
        self._is_json = bare.suffix.lower() == ".json"
        self._seen = _version_of(path)

    @property
    def has_trades(self) -> bool:
        """Whether it holds trades; else it is taken for candles."""
        return self.table is not None and self.table.has_trades

    def candle_rows(self, tally: Complaints) -> Iterator[Row]:
        """Give open time, open, high, low, close, volume, each as text.

        Raises:
            DataError: the file cannot be read, lacks a column, or is another than it was.
        """
        self._check_same()
        if self.table is not None:
            return self.table.candle_rows(tally)
        return (json_rows if self._is_json else csv_rows)(self.path, tally)

    def candle_columns(self, tally: Complaints) -> Iterator[list[list[Any]]]:
        """Give the same of a table in columns, batch by batch, each value as the file holds it.

        Raises:
            DataError: the same, or the file is no table.
        """
        self._check_same()
        if self.table is None:
            raise DataError(f"{self.path}: is no table")
        return self.table.candle_columns(tally)

    def row_guess(self) -> int | None:
        """Guess how many rows it has; None where nothing tells."""
        if self.table is not None:
            return self.table.row_count
        return None if self._is_json else csv_row_guess(self.path)

    def trade_rows(self, symbol: Symbol, tally: Complaints) -> Iterator[Row]:
        """Give time, price, quantity, aggressor's side and trade id, each as text.

        Raises:
            DataError: the file cannot be read, lacks a column, holds no trades, or is another than
                it was.
        """
        self._check_same()
        if self.table is None:
            raise DataError(f"{self.path}: holds no trades")
        return self.table.trade_rows(symbol, tally)

    def _check_same(self) -> None:
        if _version_of(self.path) != self._seen:
            raise DataError(f"{self.path}: was changed while it was read: start again")


def _version_of(path: Path) -> tuple[int, ...] | None:
    """Give what is another once a file is written or replaced; None for what is no plain file."""
    try:
        found = path.stat()
    except OSError:
        return None  # who reads it says why it cannot be read
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def files_of(path: Path, timeframe: str) -> list[Path]:
    """Give the file itself; of a folder its Parquet files by name, or those of the timeframe in it.

    Raises:
        DataError: the folder holds none.
    """
    if not path.is_dir():
        return [path]
    for folder in (path, path / timeframe):
        found = sorted(one for one in folder.glob("[!.]*.parquet") if one.is_file())
        if found:
            return found
    raise DataError(f"{path}: there is no such file as *.parquet in this folder or its {timeframe}")
