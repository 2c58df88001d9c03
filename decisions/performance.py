"""How good a series of daily equities was, and how sure that is. Pure; floats, never money.

The interval is Mertens' (2002) for returns that are not normal, without correlation in time:
SE = sqrt((1 + S**2 / 2 - skew * S + (kurtosis - 3) / 4 * S**2) / n) with S the ratio of one day.
"""

from collections.abc import Mapping, Sequence
from math import fsum, isfinite, sqrt

import msgspec

DAYS_A_YEAR = 365
"""These markets never close."""

LEAST_DAYS = 3
_NORMAL_95 = 1.959963984540054


class Sharpe(msgspec.Struct, frozen=True, kw_only=True):
    """Mean over standard deviation of daily returns, annualised by the root of 365 days."""

    ratio: float
    low: float
    """The 95 % confidence interval: what one trial can tell."""
    high: float
    days: int


def daily_returns(equity: Mapping[int, float], capital: float) -> list[float]:
    """Give the return of each day after the first; a day without an event returned nothing.

    `equity` is profit since the beginning at the end of a day, by the day's number; the first is
    where returns begin. Days from where nothing was left have no return.
    """
    if not equity or capital <= 0:
        return []
    returns, before = [], capital + equity[min(equity)]
    for day in range(min(equity) + 1, max(equity) + 1):
        if before <= 0:
            break
        now = capital + equity[day] if day in equity else before
        returns.append(now / before - 1)
        before = now
    return returns


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """What the error of a ratio depends on; of one day, nothing annualised."""

    days: int
    ratio: float
    """Mean over standard deviation."""
    skew: float
    kurtosis: float
    """3 where returns are normal."""

    @property
    def error(self) -> float:
        """Give the standard error of the ratio (Mertens)."""
        ratio = self.ratio
        variance = 1 + ratio**2 / 2 - self.skew * ratio + (self.kurtosis - 3) / 4 * ratio**2
        return sqrt(max(variance / self.days, 0.0))


def moments(returns: Sequence[float]) -> Moments | None:
    """Give them; None for too few days, or days that are all alike."""
    n = len(returns)
    if n < LEAST_DAYS:
        return None
    mean = fsum(returns) / n
    gaps = [one - mean for one in returns]
    squares = fsum(gap**2 for gap in gaps)
    deviation = sqrt(squares / (n - 1))
    if not deviation or not isfinite(deviation) or deviation < 1e-15 * abs(mean):
        return None
    moment = squares / n
    return Moments(
        days=n,
        ratio=mean / deviation,
        skew=fsum(gap**3 for gap in gaps) / n / moment**1.5,
        kurtosis=fsum(gap**4 for gap in gaps) / n / moment**2,
    )


def sharpe(returns: Sequence[float]) -> Sharpe | None:
    """Give the ratio and its interval; None for too few days, or days that are all alike."""
    found = moments(returns)
    if found is None:
        return None
    year, reach = sqrt(DAYS_A_YEAR), _NORMAL_95 * found.error
    return Sharpe(
        ratio=found.ratio * year,
        low=(found.ratio - reach) * year,
        high=(found.ratio + reach) * year,
        days=found.days,
    )
