"""Indicators over the last `period` values. What has left the window leaves no trace."""

from collections import deque
from math import fsum, nan, sqrt

_EXACT_EVERY = 256
_CANCELLED = 1e-4


class Highest:
    """The highest of the last `period` values; nan until there are that many.

    Warm-up: `period` values. Exact: it only chooses. Amortised O(1) a value.
    """

    __slots__ = ("_candidates", "_place", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self._candidates: deque[tuple[int, float]] = deque()
        self._place = 0
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return self.period

    def update(self, value: float) -> float:
        """Take the next value and give the highest."""
        candidates = self._candidates
        while candidates and candidates[-1][1] <= value:
            candidates.pop()  # older and lower: it can be the highest no more
        candidates.append((self._place, value))
        self._place = place = self._place + 1
        if candidates[0][0] < place - self.period:
            candidates.popleft()
        if place >= self.period:
            self.value = candidates[0][1]
        return self.value


class Lowest(Highest):
    """The lowest of the last `period` values; see `Highest`."""

    __slots__ = ()

    def update(self, value: float) -> float:
        """Take the next value and give the lowest."""
        candidates = self._candidates
        while candidates and candidates[-1][1] >= value:
            candidates.pop()
        candidates.append((self._place, value))
        self._place = place = self._place + 1
        if candidates[0][0] < place - self.period:
            candidates.popleft()
        if place >= self.period:
            self.value = candidates[0][1]
        return self.value


class Donchian:
    """The Donchian channel: the highest high and the lowest low of the last `period` bars.

    Richard Donchian's four-week rule (1960): compare a close with the channel of the bars
    *before* it, so read `upper` and `lower` first and update after. Warm-up: `period` bars.
    """

    __slots__ = ("_highest", "_lowest", "period")

    def __init__(self, period: int) -> None:
        self.period = period
        self._highest = Highest(period)
        self._lowest = Lowest(period)

    @property
    def warmup_values(self) -> int:
        """How many bars a fresh one must see to be as good as an old one."""
        return self.period

    @property
    def upper(self) -> float:
        """The highest high; nan until the window is full."""
        return self._highest.value

    @property
    def lower(self) -> float:
        """The lowest low; nan until the window is full."""
        return self._lowest.value

    def update(self, high: float, low: float) -> None:
        """Take the next bar."""
        self._highest.update(high)
        self._lowest.update(low)


class Moments:
    """The mean and the variance of the last `period` values, the variance over `period`.

    mean = sum(x) / n, variance = sum((x - mean)**2) / n: a population's, as TA-Lib has it.
    Both nan until there are `period` values. Warm-up: `period` values.

    Sums of distances from a value near the mean are kept, not of squares of prices, where a
    price of 60000 would leave a deviation of 1 with six digits. They are taken anew, without
    a rounding, each window, and whenever what is left of them is small against what they
    have held: after a leap, or when a market comes to rest. So a window of one price has the
    variance 0 and that price as its mean, to the bit.
    """

    __slots__ = ("_anchor", "_countdown", "_largest", "_sum", "_sum2", "_window", "mean", "period")

    def __init__(self, period: int) -> None:
        self.period = period
        self._window: deque[float] = deque(maxlen=period)
        self._anchor = 0.0
        self._sum = 0.0
        self._sum2 = 0.0
        self._largest = 0.0
        self._countdown = 0
        self.mean = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return self.period

    @property
    def variance(self) -> float:
        """The mean squared distance from the mean, in the values' unit squared."""
        if self.mean != self.mean:
            return nan
        return max(self._sum2 - self._sum * self._sum / self.period, 0.0) / self.period

    @property
    def deviation(self) -> float:
        """The square root of the variance."""
        return sqrt(self.variance)

    def update(self, value: float) -> float:
        """Take the next value and give the mean."""
        window, period = self._window, self.period
        if len(window) < period - 1:
            window.append(value)
            return nan
        if len(window) < period:
            window.append(value)
            return self._take_anew()
        gone, come = window[0] - self._anchor, value - self._anchor
        window.append(value)
        self._sum += come - gone
        self._sum2 += (come - gone) * (come + gone)
        self._largest = max(self._largest, self._sum2, gone * gone)
        self._countdown -= 1
        left = self._sum2 - self._sum * self._sum / period
        if not self._countdown or left < _CANCELLED * self._largest:
            return self._take_anew()
        self.mean = self._anchor + self._sum / period
        return self.mean

    def _take_anew(self) -> float:
        window, period = self._window, self.period
        # Not fsum / period alone: of equal values that is a rounding away from each of them.
        first = window[0]
        self._anchor = anchor = first + fsum(value - first for value in window) / period
        self._sum = fsum(value - anchor for value in window)
        self._sum2 = self._largest = fsum((value - anchor) ** 2 for value in window)
        self._countdown = max(period, _EXACT_EVERY)
        self.mean = anchor + self._sum / period
        return self.mean


class ZScore:
    """How many deviations the newest value is from the mean of the last `period` values.

    z = (x - mean) / deviation, of `Moments`, the newest value included. nan until there are
    `period` values; 0 where they are all equal, for then nothing is unusual.
    """

    __slots__ = ("_moments", "value")

    def __init__(self, period: int) -> None:
        self._moments = Moments(period)
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return self._moments.period

    def update(self, value: float) -> float:
        """Take the next value and give its distance."""
        mean = self._moments.update(value)
        deviation = self._moments.deviation
        self.value = 0.0 if deviation == 0.0 else (value - mean) / deviation
        return self.value
