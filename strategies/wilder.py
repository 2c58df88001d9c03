"""Wilder's indicators (J. Welles Wilder, New Concepts in Technical Trading Systems, 1978)."""

from math import nan

_FORGOTTEN_PERIODS = 33
_AT_REST = 1e-12


class WilderMean:
    """Wilder's smoothing: the mean of the first `period` values, then weight 1 / `period`.

    mean += (x - mean) / n. nan until `period` values were seen. Warm-up: 33 periods, one for
    the first mean and 32 that leave e**-32 (one part in 10**13) of whatever came before.
    """

    __slots__ = ("_seen", "_total", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self._seen = 0
        self._total = 0.0
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return _FORGOTTEN_PERIODS * self.period

    def update(self, value: float) -> float:
        """Take the next value and give the mean."""
        if self._seen >= self.period:
            self.value += (value - self.value) / self.period
            return self.value
        self._seen += 1
        self._total += value
        if self._seen == self.period:
            self.value = self._total / self.period
        return self.value


class Rsi:
    """The relative strength index: 100 * gains / (gains + losses), Wilder's means of each.

    From 0 (it only fell) to 100 (it only rose); nan until there are `period` changes.
    Warm-up: 33 periods and one value. A market whose moves are all below one part in 10**12
    of its price stands still: 50, where TA-Lib says 0 and would call it oversold.
    """

    __slots__ = ("_before", "_gains", "_losses", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self._gains = WilderMean(period)
        self._losses = WilderMean(period)
        self._before = nan
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return self._gains.warmup_values + 1

    def update(self, value: float) -> float:
        """Take the next value and give the index."""
        change, self._before = value - self._before, value
        if change != change:  # the first value: no change yet
            return nan
        gains = self._gains.update(max(change, 0.0))
        losses = self._losses.update(max(-change, 0.0))
        moved = gains + losses
        if moved == moved:
            self.value = 50.0 if moved <= _AT_REST * value else 100.0 * gains / moved
        return self.value


class Atr:
    """The average true range, Wilder's mean of it, in price units.

    true range = max(high - low, |high - close before|, |low - close before|). The first bar
    has no close before it and none is made up. nan until there are `period` true ranges.
    Warm-up: 33 periods and one bar.
    """

    __slots__ = ("_close", "_mean", "period")

    def __init__(self, period: int) -> None:
        self.period = period
        self._mean = WilderMean(period)
        self._close = nan

    @property
    def value(self) -> float:
        """The mean true range so far."""
        return self._mean.value

    @property
    def warmup_values(self) -> int:
        """How many bars a fresh one must see to be as good as an old one."""
        return self._mean.warmup_values + 1

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar and give the average."""
        before, self._close = self._close, close
        if before != before:
            return nan
        return self._mean.update(max(high - low, abs(high - before), abs(low - before)))
