"""Whether the time of a row may follow that of the row before it.

A row that claims a time more than a year after the one before it is malformed, unless the next
row goes on from there: one wild timestamp must not make the rest out of order. Of the first row,
the two after it tell (`wild_first_row`).
"""

from collections.abc import Iterable
from itertools import islice

from exchanges.row_tally import Tally
from exchanges.source import GapSpan
from messages.ids import DurationNs

WILD, WILD_FIRST = "more than a year after the row before", "more than a year after the next two"
_YEAR_NS = 366 * 86_400_000_000_000
_ENOUGH = 3


class Leap:
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
        self._leap = Leap()
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
            self._tally.malformed(row, WILD)
        else:
            self._note_gap(row, open_ns)
            return True
        return False

    def _may_be_first(self, row: int) -> bool:
        if row == self.wild_first:
            self._tally.malformed(row, WILD_FIRST)
            return False
        return True

    def _note_gap(self, row: int, open_ns: int) -> None:
        expected_ns = self.last_ns + self.timeframe_ns
        missing = (open_ns - expected_ns) // self.timeframe_ns
        self._tally.gap(row, GapSpan(expected_ns, open_ns, missing))


def wild_first_row(sound: Iterable[tuple[int, int]]) -> int:
    """Give the number of the first row if its time is wild, else 0.

    It is where the next two rows agree with each other, and are more than a year older. One alone
    that is older may be wild itself. `sound` is what
    `row_filter.sound_candles` or `sound_trades` gives.
    """
    looked_at = list(islice(sound, _ENOUGH))
    if len(looked_at) < _ENOUGH:
        return 0
    (row, first_ns), *others = looked_at
    times_ns = [time_ns for _, time_ns in others]
    agree = max(times_ns) - min(times_ns) <= _YEAR_NS
    return row if agree and max(times_ns) + _YEAR_NS < first_ns else 0
