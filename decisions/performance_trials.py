"""What a Sharpe ratio is worth when it is the best of many. Pure; floats, never money.

Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier" (2012): the probability that the
true ratio is above a threshold T is PSR(T) = N((S - T) / SE), N the normal distribution, SE that
of `performance.Moments`. The same, "The Deflated Sharpe Ratio" (2014): of K trials without any
skill, whose ratios vary by V, the best is expected to show

    T = sqrt(V) * ((1 - g) * Z(1 - 1 / K) + g * Z(1 - 1 / (K * e))),  g = 0.5772...

and DSR = PSR(T). Ratios here are of one day unless it is said; nothing is annualised.
"""

from collections.abc import Sequence
from math import e, sqrt
from statistics import NormalDist

import msgspec

from decisions.performance import DAYS_A_YEAR, Moments, moments

EULER_MASCHERONI = 0.5772156649015329
_NORMAL = NormalDist()


class Deflated(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio against what the best of so many trials shows without any skill."""

    probability: float
    """That the true ratio is above the threshold: under 0.95 nobody should be impressed."""
    threshold: float
    """What the best of them is expected to show, annualised by the root of 365."""
    trials: int
    variance: float
    """Of the trials' ratios of one day."""
    is_assumed: bool
    """Nobody knew that variance: it is that of this ratio's own error, as if no trial had skill."""


def probability_above(found: Moments, threshold: float = 0.0) -> float:
    """Give the probability that the true ratio of one day is above a threshold (PSR)."""
    if not found.error:
        return 1.0 if found.ratio > threshold else 0.0
    return _NORMAL.cdf((found.ratio - threshold) / found.error)


def best_without_skill(trials: int, variance: float) -> float:
    """Give the ratio that the best of so many trials is expected to show by luck; 0 for one."""
    if trials < 2 or variance <= 0:
        return 0.0
    # Z(1 - p) is -Z(p), and 1 - p is 1 for a float where p is small: of very many trials.
    usual = (EULER_MASCHERONI - 1) * _NORMAL.inv_cdf(1 / trials)
    return sqrt(variance) * (usual - EULER_MASCHERONI * _NORMAL.inv_cdf(1 / (trials * e)))


def deflated_sharpe(
    returns: Sequence[float], trials: int, variance: float | None = None
) -> Deflated | None:
    """Judge daily returns as the best of so many trials; None where they have no ratio.

    `variance` is that of the trials' ratios, each of one day: an annualised one is divided by
    365. Without it the square of this ratio's error is taken.
    """
    found = moments(returns)
    if found is None or trials < 1:
        return None
    spread = found.error**2 if variance is None else variance
    threshold = best_without_skill(trials, spread)
    return Deflated(
        probability=probability_above(found, threshold),
        threshold=threshold * sqrt(DAYS_A_YEAR),
        trials=trials,
        variance=spread,
        is_assumed=variance is None,
    )
