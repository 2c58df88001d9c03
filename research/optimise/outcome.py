"""How a trial ended."""

import msgspec

from research.optimise.figures import Score

DONE, GIVEN_UP, UNJUDGED, FAILED = "done", "given_up", "unjudged", "failed"
REFUSED, SAME = "refused", "same"
TRIED = (DONE, GIVEN_UP, UNJUDGED, FAILED)
"""How trials end that count as tried; a set that was refused, or tried before, does not."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One of these, and what is to be said of it."""

    how: str
    reason: str = ""
    score: Score | None = None
    """Of one that came to its end, and of one that is the same as that."""
    same_as: int | None = None
    parts: dict[int, float] = {}
    """What it was worth after each part that was judged."""
