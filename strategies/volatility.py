"""Realised volatility: the deviation of log returns, per bar. `per_year` makes it annual."""

from math import log, nan, sqrt

from messages.market import Candle
from strategies.rolling import Moments

YEAR_NS = 365 * 24 * 3600 * 1_000_000_000
"""A crypto market has no holidays."""


class EwmaVolatility:
    """Exponentially weighted: variance = (1 - d) * r**2 + d * variance before.

    d = n / (n + 1), so that n bars are the weights' centre of mass, as Moskowitz, Ooi and
    Pedersen (2012) have it; the mean return is taken to be 0, as RiskMetrics (1996) does.
    Begins at the first squared return; nan until there are n returns. Warm-up: 33 (n + 1) + 1
    values, 32 of which leave e**-32 of what came before.
    """

    __slots__ = ("_before", "_seen", "_variance", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self._before = nan
        self._variance = nan
        self._seen = 0
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return 33 * (self.period + 1) + 1

    def update(self, price: float) -> float:
        """Take the next price, more than 0, and give the volatility per bar."""
        before, self._before = self._before, price
        if before != before:
            return nan
        square = log(price / before) ** 2
        if self._seen:
            self._variance += (square - self._variance) / (self.period + 1)
        else:
            self._variance = square
        self._seen += 1
        if self._seen >= self.period:
            self.value = sqrt(self._variance)
        return self.value


class RollingVolatility:
    """The deviation of the last `period` log returns from their mean, over `period`.

    nan until there are that many. Warm-up: `period` + 1 values.
    """

    __slots__ = ("_before", "_moments", "value")

    def __init__(self, period: int) -> None:
        self._before = nan
        self._moments = Moments(period)
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return self._moments.period + 1

    def update(self, price: float) -> float:
        """Take the next price, more than 0, and give the volatility per bar."""
        before, self._before = self._before, price
        if before == before:
            self._moments.update(log(price / before))
            self.value = self._moments.deviation
        return self.value


def bars_per_year(candle: Candle) -> float:
    """Give how many bars of this length a year of 365 days has."""
    return YEAR_NS / (candle.ts_event_ns - candle.ts_open_ns)


def per_year(volatility: float, bars: float) -> float:
    """Give volatility per bar as volatility per year: times the root of the bars in one."""
    return volatility * sqrt(bars)
