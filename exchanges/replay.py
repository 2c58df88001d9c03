"""Recorded markets: candles from files of any format, and trades from Parquet."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path

from exchanges.event_blocks import Block, CandleReader, event_blocks
from exchanges.raw_rows import Complaints, Row
from exchanges.recordings import Recording, files_of
from exchanges.row_filter import candles, sound_candles, sound_trades, trades
from exchanges.row_tally import Held, PartTally, Tally
from exchanges.row_times import Sequencer, wild_first_row
from exchanges.source import SourceStats
from exchanges.times import parse_timeframe, time_ns
from messages.errors import DataError
from messages.ids import Symbol
from messages.market import MarketEvent

WANTED_COLUMNS = "ts, open, high, low, close, volume"
_LOOKED_AT, _FEWEST = 32, 4
"""So many rows tell, in their beginning, which way they go; fewer tell nothing."""

Reading = Callable[[Recording, Complaints], Iterator[Row]]


class ReplaySource:
    """A file, or the files of a folder or a list one after the other, as a market of one symbol.

    The shape is known by name and columns (`exchanges.recordings`). Candles come with their open
    time. Nothing is filled or invented: see `exchanges.row_filter` for what is dropped; from file
    to file no less than within one.

    Raises:
        DataError: a file is missing or unreadable, there is no usable row in any, or the first
            file has its newest row first.
    """

    def __init__(self, path: Path | Sequence[Path], symbol: Symbol, timeframe: str = "1m") -> None:
        self._symbol = symbol
        self._timeframe_ns = parse_timeframe(timeframe)
        self._stats = SourceStats()
        paths = [path] if isinstance(path, Path) else path
        self._paths = [file for one in paths for file in files_of(one, timeframe)]
        self._recordings = [Recording(one) for one in self._paths]
        self._wild_first = 0  # whether there is an event at all does not hang on it
        self._check()
        self._wild_first = self._find_wild_first()

    @property
    def stats(self) -> SourceStats:
        """What was found up to the furthest row read."""
        return self._stats

    def events(self, start_index: int = 0) -> Iterator[MarketEvent]:
        """Give the usable events; see `exchanges.source.MarketSource`."""
        return self._events(self._stats, start_index)

    def blocks(self) -> Iterator[Block]:
        """Give the same events, counted in the same way, in blocks of columns."""
        tally = Tally(self._stats, self._paths[0].name, self._symbol)
        first = self._recordings[0]
        if first.has_trades:
            return event_blocks(self._events(self._stats, 0))
        reader = CandleReader(self._symbol, tally, self._sequencer(tally))
        if first.table is not None and len(self._recordings) == 1:
            return reader.of_columns(first.candle_columns(tally))
        held = Held()
        return reader.of_rows(self._rows(tally, held, Recording.candle_rows), held)

    def rows_expected(self) -> int | None:
        """Guess how many rows there are, for a progress bar; None where nothing tells."""
        guesses = [one.row_guess() for one in self._recordings]
        return None if None in guesses else sum(filter(None, guesses))

    @property
    def first_path(self) -> Path:
        """The file that is read first."""
        return self._paths[0]

    def first_times(self, count: int) -> list[int]:
        """Give when the candles in the first file's first rows open; none of a file of trades."""
        first, times = self._recordings[0], list[int]()
        if first.has_trades:
            return times
        for _, fields in islice(first.candle_rows(Tally(SourceStats(), "")), count):
            with suppress(ValueError):
                times.append(time_ns(fields[0]) if fields else 0)
        return times

    def _events(self, stats: SourceStats, start_index: int) -> Iterator[MarketEvent]:
        tally = Tally(stats, self._paths[0].name, self._symbol)
        if self._recordings[0].has_trades:
            rows = self._rows(tally, tally, self._read_trades)
            return trades(rows, self._symbol, tally, start_index, self._wild_first)
        rows = self._rows(tally, tally, Recording.candle_rows)
        sequencer = self._sequencer(tally)
        return candles(rows, self._symbol, self._timeframe_ns, tally, start_index, sequencer)

    def _sequencer(self, tally: Tally) -> Sequencer:
        return Sequencer(self._timeframe_ns, tally, self._wild_first)

    def _read_trades(self, recording: Recording, tally: Complaints) -> Iterator[Row]:
        return recording.trade_rows(self._symbol, tally)

    def _rows(self, tally: Tally, complaints: Complaints, read: Reading) -> Iterator[Row]:
        if len(self._recordings) == 1:
            return read(self._recordings[0], complaints)
        return self._rows_of_all(tally, complaints, read)

    def _rows_of_all(self, tally: Tally, complaints: Complaints, read: Reading) -> Iterator[Row]:
        """Number the rows of all files through, and keep each problem's own file and row."""
        before = 0
        for recording in self._recordings:
            tally.begin(recording.path.name, before)
            number, part = 0, PartTally(complaints, before)
            for number, fields in read(recording, part):
                yield before + number, fields
            before += max(number, part.furthest)

    def _find_wild_first(self) -> int:
        untold = Tally(SourceStats(), "")
        if self._recordings[0].has_trades:
            return wild_first_row(sound_trades(self._rows(untold, untold, self._read_trades)))
        return wild_first_row(sound_candles(self._rows(untold, untold, Recording.candle_rows)))

    def _check(self) -> None:
        if len({one.has_trades for one in self._recordings}) > 1:
            raise DataError(f"{self._paths[0].parent}: some files hold candles and others trades")
        stats = SourceStats()
        if next(self._events(stats, 0), None) is not None:
            self._check_order()
            return
        where = f"{self._paths[0]}" + (" and the others" if len(self._paths) > 1 else "")
        why = f"; the first problem is {stats.problems[0]}" if stats.problems else ""
        asked = f" (a candle has the columns {WANTED_COLUMNS})" if stats.problems else ""
        raise DataError(f"{where}: there is no usable row for {self._symbol}{why}{asked}")

    def _check_order(self) -> None:
        """Refuse what would be one event and a thousand dropped ones."""
        times = self.first_times(_LOOKED_AT)
        if len(times) >= _FEWEST and all(after < before for before, after in pairwise(times)):
            text = (
                "its newest candle comes first: sort it by time, oldest first, as data import does"
            )
            raise DataError(f"{self.first_path}: {text}")
