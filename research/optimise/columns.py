"""A market once in memory for all processes: columns of numbers in a file that each of them maps.

The file has no name by the time anybody works: it is gone with the last process that holds it,
however they end. A process reads a block of it when its backtest comes there and keeps no more
than that, so ten workers cost the columns once.

Numbers are kept as binary floats where their shortest decimals are the recorded numbers, and
those of a market nearly always are. What is not so, and what is no candle, is kept as messages.
"""

import mmap
import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import IO, Any

import msgspec

from exchanges.event_blocks import BLOCK_EVENTS, Block, CandleBlock, EventBlock
from messages.ids import DurationNs, Symbol
from messages.market import Candle, MarketEvent

_PRICES = 4
_EXACT_LENGTH = 16
"""Texts of so many characters are told apart by floats, and come back as they were."""
_NUMBER = 8

_events = msgspec.msgpack.Decoder(list[MarketEvent])


class Segment(msgspec.Struct, frozen=True):
    """Consecutive events of one kind, and where in the file they are."""

    count: int
    first_ns: int
    last_ns: int
    offset: int
    size: int
    """In bytes, of messages; 0 for columns."""
    timeframe_ns: int
    step_ns: int
    """Between any two candles; 0 where the times are a column of their own."""


class MarketIndex(msgspec.Struct, frozen=True):
    """One symbol's market in the file."""

    symbol: Symbol
    segments: tuple[Segment, ...]

    @property
    def count(self) -> int:
        """How many events there are."""
        return sum(segment.count for segment in self.segments)


class ColumnFile:
    """The file being written, then held open for those who map it."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="watchkeeper-")  # noqa: SIM115 - open as long as this object
        self._hash = blake2b(digest_size=16)
        self.indices: list[MarketIndex] = []

    @property
    def fd(self) -> int:
        """To be inherited by processes that map it."""
        return self._file.fileno()

    @property
    def digest(self) -> str:
        """A name for what is in it."""
        return self._hash.hexdigest()

    def add(self, symbol: Symbol, blocks: Iterable[Block]) -> MarketIndex:
        """Write a market down, block by block.

        Raises:
            DataError: it cannot be read.
        """
        segments = [
            segment for block in blocks if len(block.times_ns) for segment in self._write(block)
        ]
        index = MarketIndex(symbol, tuple(segments))
        self.indices.append(index)
        self._hash.update(symbol.encode())
        self._file.flush()
        return index

    def mapped(self) -> memoryview:
        """Map it for reading."""
        return map_file(self.fd)

    def close(self) -> None:
        """Let go of it; who has mapped it keeps it."""
        self._file.close()

    def _write(self, block: Block) -> Iterator[Segment]:
        if isinstance(block, CandleBlock) and _are_exact(block.columns):
            columns = [array("d", map(float, column)) for column in block.columns]
            yield self._columns(block.times_ns, block.timeframe_ns, columns)
            return
        events = [block.event(place) for place in range(len(block.times_ns))]
        for some, values in _by_kind(events):
            if values is None:
                yield self._messages(some)
            else:
                times = [event.ts_event_ns for event in some]
                first: Any = some[0]
                yield self._columns(times, first.ts_event_ns - first.ts_open_ns, values)

    def _columns(
        self, times_ns: Sequence[int], timeframe_ns: int, columns: Sequence["array[float]"]
    ) -> Segment:
        steps = {after - before for before, after in pairwise(times_ns)}
        step = steps.pop() if len(steps) == 1 else 0
        parts = [column.tobytes() for column in columns]
        if not step:
            parts.insert(0, array("q", times_ns).tobytes())
        offset = self._append(b"".join(parts))
        first, last = times_ns[0], times_ns[-1]
        return Segment(len(times_ns), first, last, offset, 0, timeframe_ns, step)

    def _messages(self, events: Sequence[MarketEvent]) -> Segment:
        data = msgspec.msgpack.encode(events)
        offset = self._append(data + bytes(-len(data) % _NUMBER))
        times = events[0].ts_event_ns, events[-1].ts_event_ns
        return Segment(len(events), *times, offset, len(data), 0, 0)

    def _append(self, data: bytes) -> int:
        offset = self._file.tell()
        self._file.write(data)
        self._hash.update(data)
        return offset


def map_file(fd: int) -> memoryview:
    """Map a file for reading; the pages are those of everybody who maps it."""
    size = os.fstat(fd).st_size
    return memoryview(mmap.mmap(fd, size, access=mmap.ACCESS_READ)) if size else memoryview(b"")


class MappedMarket:
    """One symbol's market, read from the mapped file. Readings are independent."""

    def __init__(self, index: MarketIndex, data: memoryview) -> None:
        self.symbol, self._segments, self._data = index.symbol, index.segments, data
        self._ends = list(accumulate(segment.count for segment in index.segments))

    @property
    def count(self) -> int:
        """How many events there are."""
        return self._ends[-1] if self._ends else 0

    @property
    def span_ns(self) -> tuple[int, int]:
        """The times of the first event and of the last."""
        return self._segments[0].first_ns, self._segments[-1].last_ns

    def place_after(self, ts_ns: int) -> int:
        """Give how many events are not after a moment."""
        number = bisect_right(self._segments, ts_ns, key=lambda one: one.last_ns)
        before = self._ends[number - 1] if number else 0
        if number == len(self._segments) or ts_ns < self._segments[number].first_ns:
            return before
        return before + bisect_right(self._times(self._segments[number]), ts_ns)

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        """Give the events from number `start` to before `stop`."""
        begin = 0
        for segment, end in zip(self._segments, self._ends, strict=True):
            first, last = max(start, begin), min(stop, end)
            for place in range(first, last, BLOCK_EVENTS):
                yield self._block(segment, place - begin, min(place + BLOCK_EVENTS, last) - begin)
            begin = end

    def _times(self, segment: Segment) -> Sequence[int]:
        if segment.size:
            return [event.ts_event_ns for event in self._messages(segment)]
        if segment.step_ns:
            return range(segment.first_ns, segment.last_ns + 1, segment.step_ns)
        return self._view(segment.offset, segment.count * _NUMBER).cast("q")

    def _block(self, segment: Segment, start: int, stop: int) -> Block:
        if segment.size:
            return EventBlock(self._messages(segment)[start:stop])
        size = segment.count * _NUMBER
        offset = segment.offset + (0 if segment.step_ns else size)
        columns: list[Any] = [
            self._view(offset + number * size, size).cast("d")[start:stop]
            for number in range(_PRICES + 1)
        ]
        times = self._times(segment)[start:stop]
        if isinstance(times, memoryview):
            times = times.tolist()
        closes = columns[_PRICES - 1].tolist()
        timeframe = DurationNs(segment.timeframe_ns)
        return CandleBlock(self.symbol, times, timeframe, columns, closes)

    def _messages(self, segment: Segment) -> list[MarketEvent]:
        return _events.decode(self._view(segment.offset, segment.size))

    def _view(self, offset: int, size: int) -> memoryview:
        return self._data[offset : offset + size]


def _are_exact(columns: Sequence[Sequence[Any]]) -> bool:
    """Whether floats give the recorded numbers back: what is text must be short for that."""
    return all(
        type(column[0]) is float or max(map(len, column)) <= _EXACT_LENGTH for column in columns
    )


def _by_kind(
    events: Sequence[MarketEvent],
) -> Iterator[tuple[list[MarketEvent], list["array[float]"] | None]]:
    """Cut events into runs of candles of one length that floats give back, and of others."""
    run: list[MarketEvent] = []
    rows: list[tuple[float, ...]] = []
    length = 0
    for event in events:
        values = _values(event)
        now = event.ts_event_ns - event.ts_open_ns if values and isinstance(event, Candle) else 0
        if run and now != length:
            yield run, _turned(rows)
            run, rows = [], []
        length = now
        run.append(event)
        if values:
            rows.append(values)
    if run:
        yield run, _turned(rows)


def _turned(rows: Sequence[tuple[float, ...]]) -> list["array[float]"] | None:
    return [array("d", column) for column in zip(*rows, strict=True)] or None


def _values(event: MarketEvent) -> tuple[float, ...]:
    """Give a candle's numbers as floats; nothing where they would not come back, or it is none."""
    if not isinstance(event, Candle):
        return ()
    exact = event.open, event.high, event.low, event.close, event.volume
    values = tuple(map(float, exact))
    return values if all(Decimal(repr(f)) == d for f, d in zip(values, exact, strict=True)) else ()
