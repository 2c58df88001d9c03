"""Where a series was quiet, by what is usual in it: a line across that would be invented. Pure."""

from collections.abc import Sequence
from itertools import pairwise

_FEWEST = 4


def quiet_after(times_ns: Sequence[int], *, most: int, least_ns: int = 0) -> list[int]:
    """Give the indices after which nothing came for unusually long, in order.

    Usual is the distance that nine of ten do not exceed. Where most are equal (candles) half as
    much again is long, else (trades) four times as much; and never what is not over `least_ns`.
    Of more than `most` the longest. Times come in order; of fewer than four distances none is
    unusual, and those of 0 are none.
    """
    steps = [(later - one, at) for at, (one, later) in enumerate(pairwise(times_ns)) if later > one]
    if len(steps) < _FEWEST:
        return []
    ordered = sorted(step for step, _ in steps)
    usual, middle = ordered[(len(ordered) - 1) * 9 // 10], ordered[len(ordered) // 2]
    limit_ns = max(usual * 3 // 2 if usual == middle else usual * 4, least_ns)
    long = sorted((step for step in steps if step[0] > limit_ns), reverse=True)
    return sorted(at for _, at in long[:most])
