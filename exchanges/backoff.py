"""How long whoever has lost something waits before it tries again."""

from random import Random

_DOUBLINGS = 20


def backoff_ms(attempt: int, least_ms: int, most_ms: int, rng: Random) -> int:
    """Give how long to wait after the n-th failed attempt: doubling, with half of it chance."""
    doublings = min(max(attempt, 1) - 1, _DOUBLINGS)
    ceiling: int = min(most_ms, least_ms << doublings)
    return ceiling // 2 + rng.randrange(ceiling // 2 + 1)
