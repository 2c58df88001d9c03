"""A market in blocks: columns for who reads millions of candles, messages only where asked for.

The checks are those of `exchanges.row_filter`. A run of rows that is surely sound and without
a gap, and almost all are, is proved to be so in columns; any other run goes through that
filter row by row. So the events are the same, and the counts of what was dropped.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice, repeat
from operator import itemgetter, le
from typing import Any, Protocol

from exchanges.parquet_rows import as_texts
from exchanges.raw_rows import Row
from exchanges.row_filter import candles
from exchanges.row_tally import Held, Tally
from exchanges.row_times import Sequencer
from exchanges.times import whole_time_ns
from messages.ids import DurationNs, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Trade

BLOCK_EVENTS = 4096
_SURELY_POSITIVE, _SURELY_POSSIBLE = 1e-17, 1e15
_EXACT_LENGTH = 16
"""Numbers of so many characters, a point among them, differ as floats where they differ."""

Columns = Sequence[Sequence[Any]]
"""Open, high, low, close and volume, each value a text or a float."""


DrawnRow = tuple[int, float, float, float, float, float]
"""When it opens, open, high, low, close and volume: for a chart, never for money."""


class Block(Protocol):
    """Some consecutive events of one symbol."""

    times_ns: Sequence[int]
    """When each event happened."""
    closes: list[float] | None
    """The close of each candle; None unless all of them are candles."""

    def event(self, place: int) -> MarketEvent:
        """Give one of them, from 0, as a message."""
        ...

    def opening(self, place: int) -> MarketEvent:
        """Give it for who looks at nothing of a candle but its open, its volume and its times."""
        ...

    def open_of(self, place: int) -> Decimal:
        """Give the open of a candle, exactly."""
        ...

    def close_of(self, place: int) -> Decimal:
        """Give its close, exactly."""
        ...

    def volume_of(self, place: int) -> Decimal:
        """Give its volume, exactly."""
        ...

    def about_volume(self, place: int) -> float:
        """Give its volume as the nearest float."""
        ...

    def first(self, count: int) -> "Block":
        """Give the first of them as a block: nothing of the others is in it."""
        ...


class CandleBlock:
    """Sound candles without a gap, as columns."""

    __slots__ = ("_columns", "_symbol", "_text", "_timeframe_ns", "closes", "times_ns")

    def __init__(
        self,
        symbol: Symbol,
        times_ns: Sequence[int],
        timeframe_ns: DurationNs,
        columns: Columns,
        closes: list[float],
    ) -> None:
        self.times_ns = times_ns
        self.closes: list[float] | None = closes
        self._symbol, self._timeframe_ns, self._columns = symbol, timeframe_ns, columns
        # A float is meant as its shortest text.
        floats = bool(closes) and type(columns[0][0]) is float
        self._text: Callable[[Any], str] = repr if floats else str

    @property
    def columns(self) -> Columns:
        """See `Columns`."""
        return self._columns

    @property
    def timeframe_ns(self) -> DurationNs:
        """The length of each candle."""
        return self._timeframe_ns

    def event(self, place: int) -> Candle:
        """See `Block.event`."""
        values = map(itemgetter(place), self._columns)
        opened, high, low, close, volume = map(Decimal, map(self._text, values))
        ts_ns = self.times_ns[place]
        return Candle(
            symbol=self._symbol,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            ts_open_ns=TimestampNs(ts_ns - self._timeframe_ns),
            ts_event_ns=TimestampNs(ts_ns),
        )

    def drawn(self) -> Iterator[DrawnRow]:
        """Give every candle as floats."""
        floats = [list(map(float, column)) for column in self._columns]
        opens = (ts_ns - self._timeframe_ns for ts_ns in self.times_ns)
        return zip(opens, *floats, strict=True)

    def opening(self, place: int) -> Candle:
        """See `Block.opening`."""
        text, ts_ns = self._text, self.times_ns[place]
        opened = Decimal(text(self._columns[0][place]))
        return Candle(
            symbol=self._symbol,
            open=opened,
            high=opened,
            low=opened,
            close=opened,
            volume=Decimal(text(self._columns[4][place])),
            ts_open_ns=TimestampNs(ts_ns - self._timeframe_ns),
            ts_event_ns=TimestampNs(ts_ns),
        )

    def open_of(self, place: int) -> Decimal:
        """See `Block.open_of`."""
        return Decimal(self._text(self._columns[0][place]))

    def close_of(self, place: int) -> Decimal:
        """See `Block.close_of`."""
        return Decimal(self._text(self._columns[3][place]))

    def volume_of(self, place: int) -> Decimal:
        """See `Block.volume_of`."""
        return Decimal(self._text(self._columns[4][place]))

    def about_volume(self, place: int) -> float:
        """See `Block.about_volume`."""
        return float(self._columns[4][place])

    def first(self, count: int) -> "CandleBlock":
        """See `Block.first`."""
        assert self.closes is not None
        columns = [column[:count] for column in self._columns]
        closes = self.closes[:count]
        return CandleBlock(self._symbol, self.times_ns[:count], self._timeframe_ns, columns, closes)


class EventBlock:
    """Events as they are."""

    __slots__ = ("_events", "closes", "times_ns")

    def __init__(self, events: Sequence[MarketEvent]) -> None:
        self._events = events
        self.times_ns: Sequence[int] = [event.ts_event_ns for event in events]
        closes = [float(event.close) for event in events if isinstance(event, Candle)]
        self.closes = closes if len(closes) == len(events) else None

    def event(self, place: int) -> MarketEvent:
        """See `Block.event`."""
        return self._events[place]

    def opening(self, place: int) -> MarketEvent:
        """See `Block.opening`."""
        return self._events[place]

    def open_of(self, place: int) -> Decimal:
        """See `Block.open_of`."""
        return self._candle(place).open

    def close_of(self, place: int) -> Decimal:
        """See `Block.close_of`."""
        return self._candle(place).close

    def volume_of(self, place: int) -> Decimal:
        """See `Block.volume_of`."""
        return self._candle(place).volume

    def about_volume(self, place: int) -> float:
        """See `Block.about_volume`."""
        return float(self._candle(place).volume)

    def _candle(self, place: int) -> Candle:
        candle = self._events[place]
        assert isinstance(candle, Candle), "asked of candles alone"
        return candle

    def first(self, count: int) -> "EventBlock":
        """See `Block.first`."""
        return EventBlock(self._events[:count])


def drawn_rows(block: Block) -> Iterator[DrawnRow]:
    """Give each event of a block as a bar; what is no candle is a bar of one price."""
    if isinstance(block, CandleBlock):
        yield from block.drawn()
        return
    for place in range(len(block.times_ns)):
        yield _drawn(block.event(place))


def _drawn(event: MarketEvent) -> DrawnRow:
    if isinstance(event, Candle):
        ohlc = (float(event.open), float(event.high), float(event.low), float(event.close))
        return (event.ts_open_ns, *ohlc, float(event.volume))
    if isinstance(event, Trade):
        price, quantity = float(event.price), float(event.quantity)
    else:
        price, quantity = float((event.bid_price + event.ask_price) / 2), 0.0
    return (event.ts_event_ns, price, price, price, price, quantity)


def event_blocks(events: Iterable[MarketEvent], size: int = BLOCK_EVENTS) -> Iterator[EventBlock]:
    """Cut a market into blocks."""
    rest = iter(events)
    while some := list(islice(rest, size)):
        yield EventBlock(some)


class CandleReader:
    """Makes blocks of one file's rows or columns."""

    def __init__(self, symbol: Symbol, tally: Tally, sequencer: Sequencer) -> None:
        self._symbol, self._tally, self._sequencer = symbol, tally, sequencer
        self._timeframe_ns = sequencer.timeframe_ns

    def of_rows(self, rows: Iterable[Row], held: Held) -> Iterator[Block]:
        """Read rows of text; `held` has what their reader told of rows that are not there."""
        rest = iter(rows)
        while (some := list(islice(rest, BLOCK_EVENTS))) or held.told:
            for row, why, tell in held.told:
                before = bisect_left(some, row, key=itemgetter(0))
                yield from self._of_some(some[:before])
                tell(self._tally, row, why)
                del some[:before]
            held.told.clear()
            yield from self._of_some(some)

    def _of_some(self, rows: Sequence[Row]) -> Iterator[Block]:
        if rows:
            block = self._from_rows(rows) or EventBlock(self._one_by_one(rows))
            if block.times_ns:
                yield block

    def of_columns(self, batches: Iterable[Columns]) -> Iterator[Block]:
        """Read columns, the times first."""
        row = 1
        for columns in batches:
            numbers = range(row, row + len(columns[0]))
            row = numbers.stop
            block = self._from_columns(numbers, columns)
            if block is None:
                rows = zip(numbers, as_texts(columns), strict=True)
                yield from event_blocks(self._one_by_one(rows))
            elif block.times_ns:
                yield block

    def _one_by_one(self, rows: Iterable[Row]) -> list[Candle]:
        found = candles(
            rows, self._symbol, self._timeframe_ns, self._tally, sequencer=self._sequencer
        )
        return list(found)

    def _from_rows(self, rows: Sequence[Row]) -> CandleBlock | None:
        numbers, fields = zip(*rows, strict=True)
        try:
            times, *columns = zip(*fields, strict=True)
            if max(max(map(len, column)) for column in columns[:4]) > _EXACT_LENGTH:
                return None
            floats = [list(map(float, column)) for column in columns]
            times_ns = self._times_ns(list(map(int, times)))
        except ValueError:
            return None
        return self._block(numbers, times_ns, columns, floats)

    def _from_columns(self, numbers: Sequence[int], columns: Columns) -> CandleBlock | None:
        times, *values = columns
        if not all(set(map(type, column)) == {float} for column in values):
            return None
        if set(map(type, times)) != {int}:
            return None
        try:
            times_ns = self._times_ns(times)
        except ValueError:
            return None
        return self._block(numbers, times_ns, values, list(map(list, values)))

    def _times_ns(self, times: Sequence[int]) -> range | None:
        """Give the times at which the candles close, if each opens where the last one closed."""
        first_ns, length_ns = whole_time_ns(times[0]), self._timeframe_ns
        factor = first_ns // times[0]
        if length_ns % factor or whole_time_ns(times[-1]) != times[-1] * factor:
            return None
        expected_ns = self._sequencer.expected_ns
        step = length_ns // factor
        regular = list(times) == list(range(times[0], times[0] + step * len(times), step))
        if not regular or expected_ns not in (first_ns, -1):
            return None
        return range(first_ns + length_ns, first_ns + length_ns * (len(times) + 1), length_ns)

    def _block(
        self,
        numbers: Sequence[int],
        times_ns: range | None,
        columns: Columns,
        floats: Sequence[list[float]],
    ) -> CandleBlock | None:
        if times_ns is None or not _are_sound(*floats):
            return None
        # A wild first row is in no longer run than its own, for no other goes on from it.
        if numbers[0] == self._sequencer.wild_first:
            return None
        self._sequencer.last_ns = times_ns[-1] - self._timeframe_ns
        stats = self._tally.stats
        if numbers[-1] > stats.reached:  # else it was counted in an earlier reading
            stats.usable += len(numbers) - bisect_right(numbers, stats.reached)
            stats.reached = numbers[-1]
        return CandleBlock(self._symbol, times_ns, self._timeframe_ns, columns, floats[3])


def _are_sound(
    opened: list[float], high: list[float], low: list[float], close: list[float], vol: list[float]
) -> bool:
    """Whether all of them are surely candles; a nan compares false, and so is not."""
    return (
        all(map(le, low, opened))
        and all(map(le, opened, high))
        and all(map(le, low, close))
        and all(map(le, close, high))
        and min(low) >= _SURELY_POSITIVE
        and max(high) <= _SURELY_POSSIBLE
        and all(map(le, repeat(0.0), vol))
        and max(vol) <= _SURELY_POSSIBLE
    )
