"""A file of candles or trades, whatever its format; and the files of a folder."""

import stat
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from exchanges.csv_rows import csv_row_guess, csv_rows
from exchanges.json_rows import json_rows
from exchanges.parquet_rows import FEATHER_SUFFIX, ParquetTable
from exchanges.raw_rows import Complaints, Row
from messages.errors import DataChanged, DataError
from messages.ids import Symbol

_TABLES = frozenset({".parquet", ".pq", FEATHER_SUFFIX})


class Recording:
    """One file. The suffix says its format, its columns say what it holds.

    ``.parquet`` and ``.feather`` are tables, ``.json`` and ``.json.gz`` freqtrade's lists; anything
    else is CSV, which may be packed as ``.gz`` or ``.zip``.

    However often it is read, it is the same file as when this was made: a place in it, such as
    that of a feed that starts anew, means the same row. That is looked at before a reading and at
    its end. A file that is replaced in between is read to its end; one that is written over is not
    there any more.

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
            DataError: the file cannot be read or lacks a column.
            DataChanged: it is another than it was, or written over when the rows are at their end.
        """
        self._check_same()
        if self.table is not None:
            return chain(self.table.candle_rows(tally), self._end())
        return chain((json_rows if self._is_json else csv_rows)(self.path, tally), self._end())

    def candle_columns(self, tally: Complaints) -> Iterator[list[list[Any]]]:
        """Give the same of a table in columns, batch by batch, each value as the file holds it.

        Raises:
            DataError: the same, or the file is no table.
        """
        self._check_same()
        if self.table is None:
            raise DataError(f"{self.path}: is no table")
        return chain(self.table.candle_columns(tally), self._end())

    def row_guess(self) -> int | None:
        """Guess how many rows it has; None where nothing tells."""
        if self.table is not None:
            return self.table.row_count
        return None if self._is_json else csv_row_guess(self.path)

    def trade_rows(self, symbol: Symbol, tally: Complaints) -> Iterator[Row]:
        """Give time, price, quantity, aggressor's side and trade id, each as text.

        Raises:
            DataError, DataChanged: as for candles, or it holds no trades.
        """
        self._check_same()
        if self.table is None:
            raise DataError(f"{self.path}: holds no trades")
        return chain(self.table.trade_rows(symbol, tally), self._end())

    def _check_same(self) -> None:
        now = _version_of(self.path)
        if now and now != self._seen:  # of one that is not there, who reads it says so
            raise self._changed()

    def _end(self) -> Iterator[Any]:
        """Give nothing, when the rows before it were of the file that was begun with."""
        now, seen = _version_of(self.path), self._seen
        if now and seen and now.file == seen.file and now != seen:
            raise self._changed()
        yield from ()

    def _changed(self) -> DataChanged:
        return DataChanged(f"{self.path}: was changed while it was read: start again")


class _Version(NamedTuple):
    file: tuple[int, int]
    """It is another once the file is replaced."""
    content: tuple[int, int]
    """It is another once it is written."""


def _version_of(path: Path) -> _Version | None:
    """Give which file is there, and in which state if it is a plain one; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    is_plain = stat.S_ISREG(found.st_mode)
    content = (found.st_size, found.st_mtime_ns) if is_plain else (0, 0)
    return _Version((found.st_dev, found.st_ino), content)


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
