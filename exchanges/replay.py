"""Recorded markets: candles from CSV, CSV.gz or Parquet, and trades from Parquet."""

from collections.abc import Iterator
from pathlib import Path

from exchanges.csv_rows import csv_row_guess, csv_rows
from exchanges.event_blocks import Block, CandleReader, event_blocks
from exchanges.parquet_rows import ParquetTable
from exchanges.row_filter import Row, Tally, candles, trades
from exchanges.source import SourceStats
from exchanges.times import parse_timeframe
from messages.errors import DataError
from messages.ids import Symbol
from messages.market import MarketEvent

_PARQUET_SUFFIXES = {".parquet", ".pq"}


class ReplaySource:
    """One file as a market of one symbol; the shape is known by its name and its columns.

    ``.parquet`` is Parquet, ``.gz`` is gzip, anything else plain CSV. Candles come with their
    open time. Nothing is filled or invented: see `exchanges.row_filter` for what is dropped.

    Raises:
        DataError: the file is missing or unreadable, or it has no usable row.
    """

    def __init__(self, path: Path, symbol: Symbol, timeframe: str = "1m") -> None:
        self._path = path
        self._symbol = symbol
        self._timeframe_ns = parse_timeframe(timeframe)
        self._stats = SourceStats()
        self._table = _table(path)
        self._check()

    @property
    def stats(self) -> SourceStats:
        """What was found up to the furthest row read."""
        return self._stats

    def events(self, start_index: int = 0) -> Iterator[MarketEvent]:
        """Give the usable events; see `exchanges.source.MarketSource`."""
        return self._events(self._stats, start_index)

    def blocks(self) -> Iterator[Block]:
        """Give the same events, counted in the same way, in blocks of columns."""
        tally = Tally(self._stats, self._path.name)
        if self._table is not None and self._table.has_trades:
            return event_blocks(self._events(self._stats, 0))
        reader = CandleReader(self._symbol, self._timeframe_ns, tally)
        if self._table is not None:
            return reader.of_columns(self._table.candle_columns(tally))
        return reader.of_rows(csv_rows(self._path, tally))

    def rows_expected(self) -> int | None:
        """Guess how many rows there are, for a progress bar; None where nothing tells."""
        return csv_row_guess(self._path) if self._table is None else self._table.row_count

    def _events(self, stats: SourceStats, start_index: int) -> Iterator[MarketEvent]:
        tally = Tally(stats, self._path.name)
        if self._table is not None and self._table.has_trades:
            rows = self._table.trade_rows(self._symbol, tally)
            return trades(rows, self._symbol, tally, start_index)
        return candles(
            self._candle_rows(tally), self._symbol, self._timeframe_ns, tally, start_index
        )

    def _candle_rows(self, tally: Tally) -> Iterator[Row]:
        if self._table is not None:
            return self._table.candle_rows(tally)
        return csv_rows(self._path, tally)

    def _check(self) -> None:
        stats = SourceStats()
        if next(self._events(stats, 0), None) is not None:
            return
        why = f"; the first problem is {stats.problems[0]}" if stats.problems else ""
        raise DataError(f"{self._path}: there is no usable row for {self._symbol}{why}")


def _table(path: Path) -> ParquetTable | None:
    return ParquetTable(path) if path.suffix.lower() in _PARQUET_SUFFIXES else None
