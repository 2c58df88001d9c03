"""From raw rows to usable events, in one pass. No row is so bad that it stops the pass.

Malformed rows, duplicates and rows out of order are counted and dropped; a gap is counted and
the row after it passes. A row that claims a time more than a year after the one before it is
malformed, unless the next row goes on from there: one wild timestamp must not make the rest out
of order. Of the first row, the two after it tell (`wild_first_row`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Protocol

import msgspec

from exchanges.source import GapSpan, SourceStats
from exchanges.times import time_ns
from messages.exact import NOTHING
from messages.ids import DurationNs, Symbol, TimestampNs
from messages.market import Candle, Trade
from messages.values import Side

Row = tuple[int, Sequence[str]]
"""A row's number in its file, from 1, and its fields as text."""

_SMALLEST = Decimal("1e-18")
_LARGEST = Decimal("1e18")
_YEAR_NS = 366 * 86_400_000_000_000
_ENOUGH = 3
_WILD, _WILD_FIRST = "more than a year after the row before", "more than a year after the next two"
_LONGEST_FIELD = 64
_ANY = Symbol("")
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class Tally:
    """Counts what is beyond the furthest row reached so far, and names the places."""

    __slots__ = ("_parts", "_symbol", "stats")

    def __init__(self, stats: SourceStats, file: str, symbol: Symbol = _ANY) -> None:
        self.stats = stats
        self._parts, self._symbol = [(0, file)], symbol

    def begin(self, file: str, before: int) -> None:
        """Name the rows after so many by another file, from its own first row on."""
        self._parts.append((before, file))

    def usable(self, row: int) -> None:
        """Count a row that became an event."""
        if row > self.stats.reached:
            self.stats.reached = row
            self.stats.usable += 1

    def malformed(self, row: int, why: str) -> None:
        """Count a row that makes no sense."""
        if self._is_new(row, why):
            self.stats.malformed += 1

    def cut_off(self, row: int, why: str) -> None:
        """Count all from a row to the file's end as one malformed row, and say which file it is."""
        if self._is_new(row, why):
            self.stats.malformed += 1
            file, line = self._place(row)
            text = f"{file} is cut off or damaged after line {line - 1}: get it again"
            self.stats.cut_off.append(text)

    def duplicate(self, row: int, why: str) -> None:
        """Count a row that was there already."""
        if self._is_new(row, why):
            self.stats.duplicate += 1

    def out_of_order(self, row: int, why: str) -> None:
        """Count a row older than the one before it."""
        if self._is_new(row, why):
            self.stats.out_of_order += 1

    def gap(self, row: int, span: GapSpan) -> None:
        """Count what is missing before a row that is fine itself."""
        if row > self.stats.reached:
            file, line = self._place(row)
            found = msgspec.structs.replace(span, symbol=self._symbol, place=f"{file}:{line}")
            self.stats.note_gap(found)

    def _is_new(self, row: int, why: str) -> bool:
        if row <= self.stats.reached:
            return False
        self.stats.reached = row
        file, line = self._place(row)
        self.stats.note(f"{file}:{line}: {why}")
        return True

    def _place(self, row: int) -> tuple[str, int]:
        # A reader may be rows ahead of who judges them, in the next file already.
        before, file = next(part for part in reversed(self._parts) if part[0] < row)
        return file, row - before


class PartTally:
    """What a reader of one file of several tells, in that file's own row numbers."""

    __slots__ = ("_before", "_whole", "furthest")

    def __init__(self, whole: "Complaints", before: int) -> None:
        self._whole, self._before = whole, before
        self.furthest = 0

    def malformed(self, row: int, why: str) -> None:
        """Count a row that makes no sense."""
        self.furthest = max(self.furthest, row)
        self._whole.malformed(row + self._before, why)

    def cut_off(self, row: int, why: str) -> None:
        """Count a file whose end cannot be read."""
        self.furthest = max(self.furthest, row)
        self._whole.cut_off(row + self._before, why)


class Complaints(Protocol):
    """Whom a reader tells of rows that are not there or cannot be read."""

    def malformed(self, row: int, why: str) -> None:
        """Count a row that makes no sense."""
        ...

    def cut_off(self, row: int, why: str) -> None:
        """Count a file whose end, from this row on, cannot be read."""
        ...


class Held:
    """Keeps what a reader tells until the rows before it are judged, where it is ahead of that."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told: list[tuple[int, str, Callable[[Tally, int, str], None]]] = []
        """Each with what is to be called of it."""

    def malformed(self, row: int, why: str) -> None:
        """Keep it."""
        self.told.append((row, why, Tally.malformed))

    def cut_off(self, row: int, why: str) -> None:
        """Keep it."""
        self.told.append((row, why, Tally.cut_off))


class _Leap:
    """Tells a wild time from a true leap of years, after which the next row goes on from there."""

    __slots__ = ("_last_ns", "_time_ns")

    def __init__(self) -> None:
        self._last_ns = self._time_ns = -1

    def is_wild(self, last_ns: int, time_ns: int) -> bool:
        """Judge a row by the last one that was used, and by the one judged before.

        A row that was used without being judged here needs no word: `last_ns` is another then.
        """
        goes_on = last_ns == self._last_ns and self._time_ns < time_ns <= self._time_ns + _YEAR_NS
        self._last_ns, self._time_ns = last_ns, time_ns
        return 0 <= last_ns < time_ns - _YEAR_NS and not goes_on


class Sequencer:
    """Decides by its time alone whether a candle may follow the one before it."""

    __slots__ = ("_leap", "_tally", "last_ns", "timeframe_ns", "wild_first")

    def __init__(self, timeframe_ns: DurationNs, tally: Tally, wild_first: int = 0) -> None:
        self.last_ns = -1
        self.wild_first = wild_first
        """What `wild_first_row` gives."""
        self._leap = _Leap()
        self.timeframe_ns = timeframe_ns
        self._tally = tally

    @property
    def expected_ns(self) -> int:
        """When the next candle opens if none is missing; -1 before the first."""
        return -1 if self.last_ns < 0 else self.last_ns + self.timeframe_ns

    def admits(self, row: int, open_ns: int) -> bool:
        """Judge a candle that does not open exactly where the last one closed."""
        if self.last_ns < 0:
            return self._may_be_first(row)
        is_wild = self._leap.is_wild(self.last_ns, open_ns)
        if open_ns == self.last_ns:
            self._tally.duplicate(row, "the same time as the row before")
        elif open_ns < self.last_ns:
            self._tally.out_of_order(row, "older than the row before")
        elif open_ns < self.last_ns + self.timeframe_ns:
            self._tally.malformed(row, "opens before the candle before it has closed")
        elif is_wild:
            self._tally.malformed(row, _WILD)
        else:
            self._note_gap(row, open_ns)
            return True
        return False

    def _may_be_first(self, row: int) -> bool:
        if row == self.wild_first:
            self._tally.malformed(row, _WILD_FIRST)
            return False
        return True

    def _note_gap(self, row: int, open_ns: int) -> None:
        expected_ns = self.last_ns + self.timeframe_ns
        missing = (open_ns - expected_ns) // self.timeframe_ns
        self._tally.gap(row, GapSpan(expected_ns, open_ns, missing))


def candles(
    rows: Iterable[Row],
    symbol: Symbol,
    timeframe_ns: DurationNs,
    tally: Tally,
    start_index: int = 0,
    sequencer: Sequencer | None = None,
) -> Iterator[Candle]:
    """Give usable candles from rows of open time, open, high, low, close, volume.

    `sequencer` knows the candle before the first row, where the rows are not the first.
    """
    # One flat loop, kept free of calls: it is walked millions of times in a backtest.
    sequencer = sequencer or Sequencer(timeframe_ns, tally)
    expected_ns, index, stats = sequencer.expected_ns, 0, tally.stats
    for row, fields in rows:
        try:
            time, opened, high, low, close, volume = fields
            open_ns = time_ns(time)
            o, h, lo, c = Decimal(opened), Decimal(high), Decimal(low), Decimal(close)
            v = Decimal(volume)
            sound = (
                _SMALLEST <= lo <= o <= h <= _LARGEST and lo <= c <= h and NOTHING <= v <= _LARGEST
            )
        except (ValueError, InvalidOperation):
            sound = False
        if not sound:
            tally.malformed(row, why_not_a_candle(fields))
            continue
        if open_ns != expected_ns and not sequencer.admits(row, open_ns):
            continue
        sequencer.last_ns, expected_ns = open_ns, open_ns + timeframe_ns
        if row > stats.reached:
            stats.reached = row
            stats.usable += 1
        if index >= start_index:
            yield Candle(
                symbol=symbol,
                open=o,
                high=h,
                low=lo,
                close=c,
                volume=v,
                ts_open_ns=TimestampNs(open_ns),
                ts_event_ns=TimestampNs(expected_ns),
            )
        index += 1


def trades(
    rows: Iterable[Row],
    symbol: Symbol,
    tally: Tally,
    start_index: int = 0,
    wild_first: int = 0,
) -> Iterator[Trade]:
    """Give usable trades from rows of time, price, quantity, aggressor's side, trade id.

    Trades of one moment are distinct unless their ids are equal; an empty id is no id.
    `wild_first` is what `wild_first_row` gives.
    """
    last_ns, index, ids, leap = -1, 0, set[str](), _Leap()
    for row, fields in rows:
        trade = _trade(fields, symbol)
        if trade is None:
            tally.malformed(row, why_not_a_trade(fields))
            continue
        is_wild = leap.is_wild(last_ns, trade.ts_event_ns)
        if is_wild or row == wild_first:
            tally.malformed(row, _WILD if is_wild else _WILD_FIRST)
            continue
        if trade.ts_event_ns < last_ns:
            tally.out_of_order(row, "older than the row before")
            continue
        if trade.ts_event_ns > last_ns:
            last_ns = trade.ts_event_ns
            ids.clear()
        if fields[4] and fields[4] in ids:
            tally.duplicate(row, "a trade id that was there already")
            continue
        ids.add(fields[4])
        tally.usable(row)
        if index >= start_index:
            yield trade
        index += 1


def wild_first_row(sound: Iterable[tuple[int, int]]) -> int:
    """Give the number of the first row if its time is wild, else 0.

    It is where the next two rows agree with each other, and are more than a year older. One alone
    that is older may be wild itself. `sound` is what `sound_candles` or `sound_trades` gives.
    """
    looked_at = list(islice(sound, _ENOUGH))
    if len(looked_at) < _ENOUGH:
        return 0
    (row, first_ns), *others = looked_at
    times_ns = [time_ns for _, time_ns in others]
    agree = max(times_ns) - min(times_ns) <= _YEAR_NS
    return row if agree and max(times_ns) + _YEAR_NS < first_ns else 0


def sound_candles(rows: Iterable[Row]) -> Iterator[tuple[int, int]]:
    """Give number and opening time of each row that is a candle when looked at alone."""
    untold = Tally(SourceStats(), "")
    for row in rows:
        for candle in candles([row], _ANY, DurationNs(0), untold):
            yield row[0], candle.ts_open_ns


def sound_trades(rows: Iterable[Row]) -> Iterator[tuple[int, int]]:
    """Give number and time of each row that is a trade when looked at alone."""
    for row, fields in rows:
        trade = _trade(fields, _ANY)
        if trade is not None:
            yield row, trade.ts_event_ns


def _trade(fields: Sequence[str], symbol: Symbol) -> Trade | None:
    try:
        ts_ns, price, quantity = time_ns(fields[0]), Decimal(fields[1]), Decimal(fields[2])
        if not (_SMALLEST <= price <= _LARGEST and _SMALLEST <= quantity <= _LARGEST):
            return None
    except (ValueError, InvalidOperation):
        return None
    return Trade(
        symbol=symbol,
        price=price,
        quantity=quantity,
        aggressor_side=_SIDES.get(fields[3]),
        ts_event_ns=TimestampNs(ts_ns),
    )


def why_not_a_trade(fields: Sequence[str]) -> str:
    """Say in a sentence what is wrong with a row that is known to be no trade."""
    wrong = _wrong_number(fields[1:3], ("price", "quantity")) or _wrong_time(fields[0])
    return wrong or "price and quantity must be more than 0"


def why_not_a_candle(fields: Sequence[str]) -> str:
    """Say in a sentence what is wrong with a row that is known to be no candle."""
    if len(fields) != 6:
        return "not the columns that the other rows have"
    names = ("open", "high", "low", "close", "volume")
    wrong = _wrong_time(fields[0]) or _wrong_number(fields[1:], names)
    if wrong:
        return wrong
    opened, high, low, close, volume = (Decimal(text) for text in fields[1:])
    if min(opened, high, low, close) <= NOTHING or volume < NOTHING:
        return "a price is not more than 0, or the volume is negative"
    if high < low:
        return f"high {high} is below low {low}"
    if max(opened, close) > high or min(opened, close) < low:
        return "open or close is outside of low and high"
    return "a number is too large or too small to be true"


def _wrong_time(text: str) -> str:
    try:
        time_ns(text)
    except ValueError:
        return f"{_shown(text)} is not a time"
    return ""


def _wrong_number(texts: Sequence[str], names: Sequence[str]) -> str:
    for name, text in zip(names, texts, strict=True):
        try:
            if Decimal(text).is_finite():
                continue
        except InvalidOperation:
            pass
        return f"{name} {_shown(text)} is not a number"
    return ""


def _shown(text: str) -> str:
    return ascii(text[:_LONGEST_FIELD])
