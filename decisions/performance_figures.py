"""What is usually asked of a curve of equity, from its walk and its daily returns. Pure; floats.

Of r, the returns of n UTC days, a year having 365 (these markets never close), with no rate that is
free of risk taken off:

* growth (CAGR): (equity at the end / at the beginning) ** (365 / days) - 1
* volatility: deviation(r) * sqrt(365)
* Sharpe: mean(r) / deviation(r) * sqrt(365); its interval by Mertens (2002), see `performance`.
  The root is right if a day says nothing of the next. Lo, "The Statistics of Sharpe Ratios" (2002):
  with an autocorrelation p of one day it is sqrt(q) / sqrt(1 + 2 p / (1 - p) * (1 - (1 - p ** q) /
  (q (1 - p)))) with q = 365 instead
* Sortino: mean(r) / sqrt(mean(min(r, 0) ** 2)) * sqrt(365) (Sortino and Price 1994, target 0)
* Calmar: growth / the deepest drawdown as a part of its peak (Young 1991)
* value at risk: what one day in twenty lost, at least; expected shortfall: the mean of those days

A figure that a short time cannot give is None, and `too_short` says so.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, isfinite, sqrt

import msgspec

from decisions.equity_walk import EquityWalk
from decisions.performance import DAYS_A_YEAR, Sharpe, moments, sharpe
from decisions.performance_trials import probability_above
from messages.ids import DAY_NS

LEAST_DAYS_ANNUAL = 30
"""A shorter time compounded to a year is a fantasy, whatever it says."""
_TAIL = 0.05
LEAST_DAYS_TAIL = 20
"""One day in twenty is not known of fewer."""


class Annual(msgspec.Struct, frozen=True, kw_only=True):
    """What is of a year; see the formulas above."""

    growth: float | None
    volatility: float
    sharpe: Sharpe | None
    sharpe_lo: float | None
    """With the autocorrelation of one day."""
    skill: float | None
    """The probability that the true Sharpe ratio is above 0 (PSR)."""
    sortino: float | None
    calmar: float | None


class Daily(msgspec.Struct, frozen=True, kw_only=True):
    """What the returns of single days were."""

    days: int
    best: float
    worst: float
    up: float
    """The part of them that won."""
    skew: float | None
    kurtosis: float | None
    autocorrelation: float | None
    """Of a day with the next."""
    value_at_risk: float | None
    """As a loss: positive; one day in twenty lost it or more."""
    expected_shortfall: float | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one stretch of time. Parts are fractions: 0.1 is ten percent."""

    from_ns: int
    until_ns: int
    days: float
    """How long it was."""
    equity: float
    """At its beginning."""
    net: float
    net_share: float | None
    max_drawdown: float
    max_drawdown_share: float | None
    fell_from_ns: int
    fell_until_ns: int
    longest_under_ns: int
    """The longest time below a peak."""
    is_longest_open: bool
    """Whether that was the last one, which the end cut short."""
    daily: Daily | None
    annual: Annual | None
    too_short: str
    """Why there is no annual figure; empty where there is."""


def figures(walk: EquityWalk) -> Figures:
    """Sum up a curve."""
    equity = walk.capital + walk.start
    net, days = walk.last - walk.start, (walk.last_ns - walk.first_ns) / DAY_NS
    returns = walk.returns()
    share = net / equity if equity > 0 else None
    problem = _too_short(days, returns, equity)
    return Figures(
        from_ns=walk.first_ns,
        until_ns=walk.last_ns,
        days=days,
        equity=equity,
        net=net,
        net_share=share,
        max_drawdown=walk.drawdown,
        max_drawdown_share=walk.drawdown_share if walk.capital > 0 else None,
        fell_from_ns=walk.fell_from_ns,
        fell_until_ns=walk.fell_until_ns,
        longest_under_ns=walk.longest_ns,
        is_longest_open=walk.is_longest_open,
        daily=_daily(returns),
        annual=None if problem else _annual(returns, share, days, walk.drawdown_share),
        too_short=problem,
    )


def growth_a_year(share: float | None, days: float) -> float | None:
    """Compound what `days` brought to a year; -1 where nothing was left."""
    if share is None or days <= 0:
        return None
    if share <= -1:
        return -1.0
    try:
        grown: float = (1 + share) ** (DAYS_A_YEAR / days) - 1
    except OverflowError:
        return None
    return grown if isfinite(grown) else None


def autocorrelation(returns: Sequence[float]) -> float | None:
    """Give that of one day with the next; None of fewer than four days or of days all alike."""
    found = moments(returns)
    if found is None or len(returns) < 4:
        return None
    mean = fsum(returns) / len(returns)
    gaps = [one - mean for one in returns]
    together = fsum(one * other for one, other in pairwise(gaps))
    return together / fsum(gap**2 for gap in gaps)


def lo_factor(correlation: float, days: int = DAYS_A_YEAR) -> float | None:
    """Give what Lo (2002) multiplies a daily ratio by; the root of `days` where it is 0."""
    if not -1 < correlation < 1:
        return None
    tail = (1 - correlation**days) / (days * (1 - correlation))
    spread = 1 + 2 * correlation / (1 - correlation) * (1 - tail)
    return sqrt(days / spread) if spread > 0 else None


def _too_short(days: float, returns: Sequence[float], equity: float) -> str:
    if equity <= 0:
        return "no annual figure: nobody knows what there was at the beginning"
    if len(returns) < LEAST_DAYS_ANNUAL:
        many = f"{days:.3g} day{'' if f'{days:.3g}' == '1' else 's'}"
        return f"{many}: no annual figure; it takes {LEAST_DAYS_ANNUAL} daily returns"
    return ""


def _daily(returns: Sequence[float]) -> Daily | None:
    if not returns:
        return None
    found = moments(returns)
    tail = sorted(returns)[: int(len(returns) * _TAIL)] if len(returns) >= LEAST_DAYS_TAIL else []
    return Daily(
        days=len(returns),
        best=max(returns),
        worst=min(returns),
        up=sum(one > 0 for one in returns) / len(returns),
        skew=found.skew if found else None,
        kurtosis=found.kurtosis if found else None,
        autocorrelation=autocorrelation(returns),
        value_at_risk=-tail[-1] if tail else None,
        expected_shortfall=-fsum(tail) / len(tail) if tail else None,
    )


def _annual(
    returns: Sequence[float], share: float | None, days: float, drawdown_share: float
) -> Annual:
    n, year = len(returns), sqrt(DAYS_A_YEAR)
    mean = fsum(returns) / n
    deviation = sqrt(fsum((one - mean) ** 2 for one in returns) / (n - 1))
    downside = sqrt(fsum(min(one, 0.0) ** 2 for one in returns) / n)
    found, correlation = moments(returns), autocorrelation(returns)
    factor = None if correlation is None else lo_factor(correlation)
    growth = growth_a_year(share, days)
    return Annual(
        growth=growth,
        volatility=deviation * year,
        sharpe=sharpe(returns),
        sharpe_lo=found.ratio * factor if found and factor is not None else None,
        skill=probability_above(found) if found else None,
        sortino=mean / downside * year if downside else None,
        calmar=growth / drawdown_share if growth is not None and drawdown_share else None,
    )
