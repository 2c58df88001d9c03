"""Indicators that take one value at a time. Floats: they choose a side, they are never money."""

from collections import deque
from collections.abc import Iterable
from itertools import accumulate, islice
from math import fsum, isnan, nan
from operator import sub

_EXACT_EVERY = 256
_LEVEL = 1e-14
DOUBT = 1e-9
"""Means that differ by less, as a fraction, are compared without drift."""


class Sma:
    """The mean of the last `period` values.

    Warm-up: `period` values; until then `value` is nan, which compares false with all.

    A running sum drifts, so it is taken anew every 256 values; `exact` is free of drift.
    """

    __slots__ = ("_countdown", "_period", "_total", "_window", "value")

    def __init__(self, period: int) -> None:
        self._period = period
        self._window: deque[float] = deque(maxlen=period)
        self._total = 0.0
        self._countdown = _EXACT_EVERY
        self.value = nan

    def update(self, value: float) -> float:
        """Take the next value and give the mean."""
        window = self._window
        if self.value == self.value:  # not nan: the window is full
            total = self._total + (value - window[0])
            window.append(value)
        else:
            total = self._total = self._total + value
            window.append(value)
            if len(window) < self._period:
                return nan
        self._countdown = left = self._countdown - 1
        if not left:
            self._countdown = _EXACT_EVERY
            total = fsum(window)
        self._total = total
        self.value = mean = total / self._period
        return mean

    @property
    def period(self) -> int:
        """Of how many values it is the mean."""
        return self._period

    @property
    def missing(self) -> int:
        """So many more values it must see before it has one."""
        return self._period - len(self._window)

    def totals_after(self, values: list[float]) -> list[float]:
        """Give the running sum after each of the next values as `update` has it; takes none.

        Only once `value` is a number.
        """
        series = [*self._window, *values]
        changes = map(sub, values, series)  # made and used one by one: no list of them is kept
        totals: list[float] = []
        total, exact = self._total, self._countdown - 1
        while len(totals) < len(values):
            running = accumulate(islice(changes, exact - len(totals)), initial=total)
            next(running)  # the sum before the first of them
            totals += running
            if exact < len(values):
                next(changes)
                total = fsum(series[exact + 1 : exact + 1 + self._period])
                totals.append(total)
            exact += _EXACT_EVERY
        return totals

    def went_on(self, values: Iterable[float], count: int, total: float) -> None:
        """Take over what `totals_after` has reckoned, `count` values further.

        Of those values the last ones are enough: as many as the mean is of, if there are so many.
        """
        self._window.extend(values)
        self._countdown = (self._countdown - count - 1) % _EXACT_EVERY + 1
        self._total = total
        self.value = total / self._period

    def exact(self) -> float:
        """Give the mean with no drift: wrong by one rounding of the sum and one of the quotient."""
        return fsum(self._window) / self._period


class Ema:
    """The exponential mean, weight 2 / (period + 1) for the newest; begins at the first value.

    Warm-up: 16 periods leave e**-32 (one part in 10**13) of whatever came before.
    `value` is nan until `period` values were seen.
    """

    __slots__ = ("_mean", "_seen", "_weight", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self._weight = 2.0 / (period + 1)
        self._mean = nan
        self._seen = 0
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return 16 * self.period

    @property
    def missing(self) -> int:
        """So many more values it must see before it has one."""
        return max(self.period - self._seen, 0)

    @property
    def weight(self) -> float:
        """Of the newest value."""
        return self._weight

    def went_on(self, count: int, mean: float) -> None:
        """Take over what somebody else has reckoned as `update` does it, once `value` is one."""
        self._seen += count
        self._mean = self.value = mean

    def update(self, value: float) -> float:
        """Take the next value and give the mean."""
        if self._seen:
            self._mean += self._weight * (value - self._mean)
        else:
            self._mean = value
        self._seen += 1
        if self._seen >= self.period:
            self.value = self._mean
        return self.value


def relation(fast: float, slow: float) -> int | None:
    """Give 1 when fast is above slow, -1 below, 0 level, None when one of them is nan.

    Nearer than one part in 10**14 is level: floats cannot tell such prices apart.
    """
    gap = fast - slow
    if isnan(gap):
        return None
    if abs(gap) <= _LEVEL * abs(slow):
        return 0
    return 1 if gap > 0 else -1


def sma_relation(fast: Sma, slow: Sma) -> int | None:
    """Give the `relation` of two means as exact arithmetic on the decimal prices would have it.

    A gap so small that drift could have made it is looked at again without drift. What is
    left, two or three roundings, is below one part in 10**14; the means of two windows that
    really differ, differ by at least a tick / (fast period * slow period), which is more.
    """
    gap = fast.value - slow.value
    if gap > DOUBT * slow.value:
        return 1
    if gap < -DOUBT * slow.value:
        return -1
    return relation(fast.exact(), slow.exact()) if gap == gap else None
