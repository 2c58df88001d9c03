"""Profit over time, gone through block by block: how deep it fell and for how long. Pure.

Floats, for statistics; money itself is the portfolio's, in Decimal.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress, islice, repeat
from operator import add, not_, sub, truediv

from decisions.performance import daily_returns
from messages.ids import DAY_NS


class EquityWalk:
    """What a curve was like. Times are UTC nanoseconds and do not go back.

    `capital` is what there was without any profit; 0 where nobody knows it. The beginning, with
    `start` of profit, is a peak.
    """

    def __init__(self, capital: float = 0.0, start: float = 0.0) -> None:
        self.capital, self.start, self.last = capital, start, start
        self.first_ns = self.last_ns = 0
        """Of the first and of the last price; both 0 before there was one."""
        self.events = 0
        self.drawdown = self.drawdown_share = 0.0
        """The deepest fall from a peak, and the deepest as a part of what there was at its peak."""
        self.fell_from_ns = self.fell_until_ns = 0
        """When the deepest fall began, and where its bottom was."""
        self.days: dict[int, float] = {}
        """The last profit of each UTC day that has one, by its number since 1970."""
        self._peak, self._peak_ns = start, 0
        self._is_under, self._longest_ns = False, 0

    @property
    def longest_ns(self) -> int:
        """The longest time from a peak until it was reached again, or until the end."""
        return max(self._longest_ns, self._under_now_ns)

    @property
    def is_longest_open(self) -> bool:
        """Whether the longest such time is the last one, which the end cut short."""
        return self._under_now_ns > self._longest_ns

    @property
    def _under_now_ns(self) -> int:
        return self.last_ns - self._peak_ns if self._is_under else 0

    def returns(self) -> list[float]:
        """Give the return of each UTC day, the first one on what there was at the beginning.

        A day that the beginning or the end cuts short counts as one: together they are the whole.
        """
        if not self.days:
            return []
        return daily_returns({min(self.days) - 1: self.start} | self.days, self.capital)

    def pass_by(self, times_ns: Sequence[int], profits: Sequence[float]) -> None:
        """Go on through these as `take` does, for who does not ask how far each is below a peak."""
        if not self.events or max(profits) >= self._peak:
            self.take(times_ns, profits)
            return
        # All of them are below the last peak, as most are: then the lowest says it all.
        lowest, most = min(profits), self.capital + self._peak
        fall = self._peak - lowest
        if fall > self.drawdown:
            self.drawdown, self.fell_from_ns = fall, self._peak_ns
            self.fell_until_ns = times_ns[profits.index(lowest)]
        if self.capital > 0 and most > 0:
            self.drawdown_share = max(self.drawdown_share, fall / most)
        self._is_under = True
        self._went_to(times_ns, profits)

    def take(self, times_ns: Sequence[int], profits: Sequence[float]) -> list[float]:
        """Go on through these; give how far each is below the highest before it."""
        if not self.events:
            self.first_ns = self._peak_ns = times_ns[0]
        if max(profits) <= self._peak:  # most blocks of a long fall
            peaks = [self._peak] * (len(profits) + 1)
        else:
            peaks = list(accumulate(profits, max, initial=self._peak))
        falls = list(map(sub, islice(peaks, 1, None), profits))
        self._deepest(times_ns, falls, peaks)
        self._length(times_ns, falls)
        self._peak = peaks[-1]
        self._went_to(times_ns, profits)
        return falls

    def _went_to(self, times_ns: Sequence[int], profits: Sequence[float]) -> None:
        self.last, self.last_ns = profits[-1], times_ns[-1]
        self.events += len(profits)
        self._end_of_days(times_ns, profits)

    def _deepest(
        self, times_ns: Sequence[int], falls: Sequence[float], peaks: Sequence[float]
    ) -> None:
        deepest = max(falls)
        if deepest > self.drawdown:
            at = falls.index(deepest)
            began = None
            if not all(falls[:at]):
                began = next(n for n in range(at - 1, -1, -1) if not falls[n])
            self.drawdown, self.fell_until_ns = deepest, times_ns[at]
            self.fell_from_ns = self._peak_ns if began is None else times_ns[began]
        # The first peak is the lowest of them: none of these can be a greater part than that.
        most = self.capital + peaks[0]
        if self.capital > 0 and deepest > 0 and (most <= 0 or deepest / most > self.drawdown_share):
            self.drawdown_share = max(self.drawdown_share, self._share(falls, peaks))

    def _share(self, falls: Sequence[float], peaks: Sequence[float]) -> float:
        if peaks[0] == peaks[-1]:
            most = self.capital + peaks[0]
            return max(falls) / most if most > 0 else 0.0
        if self.capital + peaks[0] > 0:  # and so is each of the others, which are higher
            tops = map(add, repeat(self.capital), islice(peaks, 1, None))
            shares: Iterable[float] = map(truediv, falls, tops)
            return max(shares)
        pairs = zip(falls, islice(peaks, 1, None), strict=True)
        return max(
            fall / (self.capital + peak) if self.capital + peak > 0 else 0.0 for fall, peak in pairs
        )

    def _length(self, times_ns: Sequence[int], falls: Sequence[float]) -> None:
        if min(falls) > 0:
            self._is_under = True
            return
        if not self._is_under and not max(falls):
            self._peak_ns = times_ns[-1]
            return
        before, was_under = -1, self._is_under
        for place in compress(range(len(falls)), map(not_, falls)):
            if was_under or place > before + 1:  # there was a fall between this peak and the last
                self._longest_ns = max(self._longest_ns, times_ns[place] - self._peak_ns)
            self._peak_ns, before, was_under = times_ns[place], place, False
        self._is_under = before < len(falls) - 1

    def _end_of_days(self, times_ns: Sequence[int], profits: Sequence[float]) -> None:
        # What closes at midnight is of the day that it ends.
        for day in range((times_ns[0] - 1) // DAY_NS, (times_ns[-1] - 1) // DAY_NS + 1):
            last = bisect_right(times_ns, (day + 1) * DAY_NS) - 1
            if last >= 0 and (times_ns[last] - 1) // DAY_NS == day:
                self.days[day] = profits[last]
