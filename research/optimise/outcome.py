"""How a trial ended."""

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


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """What was proposed before a trial, and not tried."""

    refused: int = 0
    """Sets that the strategy does not take."""
    same: int = 0
    """Sets that were tried before."""
    reason: str = ""
    """Of the last refusal."""
