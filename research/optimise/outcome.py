"""How a trial ended."""

from collections import Counter
from collections.abc import Sequence
from statistics import variance

import msgspec

from research.optimise.figures import Score

DONE, GIVEN_UP, UNJUDGED, FAILED = "done", "given_up", "unjudged", "failed"
REFUSED = "refused"
TRIED = (DONE, GIVEN_UP, UNJUDGED, FAILED)
"""How trials end that count as tried; a set that was refused does not."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One of these, and what is to be said of it."""

    how: str
    reason: str = ""
    score: Score | None = None
    """Of one that came to its end."""
    parts: dict[int, float] = {}
    """What it was worth after each part that was judged."""
    ratios: dict[int, float] = {}
    """Its Sharpe ratio of one day after each part that had one, whatever the objective is."""


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """What was proposed before a trial, and not tried."""

    refused: int = 0
    """Sets that the strategy does not take."""
    same: int = 0
    """Sets that were tried before."""
    reason: str = ""
    """Of the last refusal."""


def spread_of(outcomes: Sequence[Outcome]) -> float | None:
    """Give by how much the ratios of all trials vary; None where nobody knows.

    Where some were given up, those that came to their end are the better ones, and luck is greater
    than they show. All of them were there at the end of the first part.
    """
    scores = [outcome.score for outcome in outcomes if outcome.how == DONE and outcome.score]
    groups = [[score.daily_sharpe for score in scores if score.daily_sharpe is not None]]
    if any(outcome.how == GIVEN_UP for outcome in outcomes):
        known = Counter(part for outcome in outcomes for part in outcome.ratios)
        first = max(sorted(known), key=known.__getitem__, default=0)
        groups.append([one.ratios[first] for one in outcomes if first in one.ratios])
    return max((variance(ratios) for ratios in groups if len(ratios) > 1), default=None)
