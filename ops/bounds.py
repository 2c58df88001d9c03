"""The most that a file or a command line may ask for: nothing that is made of it overflows.

Databases and clocks hold 64 bits. Imports nothing, for `health` reads its arguments with it.
"""

LARGEST_INTEGER = 2**63 - 1
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.001, 366 * 86_400
"""Of what a person waits for: what timers still hold apart, and a year."""
SLOWEST, FASTEST = 0.001, 1_000_000
"""Of a paced market, in its seconds per second."""
MOST_S = 4_000_000_000
"""126 years, which may be added to any moment of a market: those are before 2116, and 64 bits of
nanoseconds end in 2262."""
MOST_MB = 1_000_000_000
_MOST_BY_END = {"_ms": 1_000 * MOST_S, "_s": MOST_S, "_days": MOST_S // 86_400, "_mb": MOST_MB}


def most_of(key: str) -> int:
    """Give the most that a number of the configuration may be, by the unit that its key ends in."""
    ends = (most for end, most in _MOST_BY_END.items() if key.endswith(end))
    return next(ends, LARGEST_INTEGER)
