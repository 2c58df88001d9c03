"""Latencies in bounded memory: percentiles that are wrong by a few percent at the most."""

from bisect import bisect_left, bisect_right
from itertools import accumulate
from math import ceil

FOLD_AT = 1024
_PARTS = 8
_OCTAVES = 44
# Every doubling of time is cut into 8 equal parts. Below 8 ns a bucket is one nanosecond,
# above 2**44 ns (five hours) there is one bucket for all.
_BOUNDS: list[int] = [
    *range(1, _PARTS),
    *(part << up for up in range(_OCTAVES - 3) for part in range(_PARTS, 2 * _PARTS)),
    1 << _OCTAVES,
]
RELATIVE_ERROR = 1 / (2 * _PARTS)


class LatencyHistogram:
    """Counts nanoseconds in log-linear buckets: some 1,350 numbers of memory, whatever comes.

    `record` only appends; 1,024 at a time are sorted and counted, which is cheaper than finding
    the bucket of each. One thread writes; others may read at any time, for reading changes
    nothing: at worst they miss, or see twice, the records of a fold that is under way.
    """

    __slots__ = ("_buffer", "_counts", "_max", "append")

    def __init__(self) -> None:
        self._buffer: list[int] = []
        self.append = self._buffer.append
        """`record` for who calls `fold_when_full` after some, and at least every `FOLD_AT`."""
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._max = 0

    def record(self, ns: int) -> None:
        """Count one latency; less than 0 counts as 0."""
        self.append(ns)
        self.fold_when_full()

    def fold_when_full(self) -> None:
        """Count what was appended, if it is enough to be worth it; for the writing thread."""
        if len(self._buffer) >= FOLD_AT:
            ordered = sorted(self._buffer)
            _tally(ordered, self._counts)
            self._max = max(self._max, ordered[-1])
            self._buffer.clear()

    @property
    def count(self) -> int:
        """How many were recorded."""
        return sum(self._counts) + len(self._buffer)

    @property
    def max(self) -> int:
        """The greatest, exact; 0 when there are none."""
        return max(self._max, max(self._buffer, default=0))

    def percentile(self, percent: float) -> int:
        """Give the least latency that `percent` of all do not exceed; 0 when there are none.

        Off by at most `RELATIVE_ERROR` (6.25 %) up to five hours; 100 is the exact maximum.
        """
        return self._percentiles((percent,))[0]

    def merge(self, other: "LatencyHistogram") -> None:
        """Add what another counted; the other is not changed."""
        greatest = other.max
        self._counts = [a + b for a, b in zip(self._counts, other._tallied(), strict=True)]
        self._max = max(self._max, greatest)

    def summary(self) -> dict[str, int]:
        """Give the count, p50, p95, p99 and max, in nanoseconds."""
        p50, p95, p99 = self._percentiles((50, 95, 99))
        return {"count": self.count, "max": self.max, "p50": p50, "p95": p95, "p99": p99}

    def _tallied(self) -> list[int]:
        counts = self._counts.copy()
        _tally(sorted(self._buffer), counts)
        return counts

    def _percentiles(self, percents: tuple[float, ...]) -> list[int]:
        up_to = list(accumulate(self._tallied()))
        total, greatest = up_to[-1], self.max
        ranks = [max(1, ceil(total * percent / 100)) for percent in percents]
        return [
            greatest if rank >= total else min(_middle(bisect_left(up_to, rank)), greatest)
            for rank in ranks
        ]


def _tally(ordered: list[int], counts: list[int]) -> None:
    start = bucket = 0
    while start < len(ordered):
        bucket = bisect_right(_BOUNDS, ordered[start], bucket)
        is_last = bucket == len(_BOUNDS)
        end = len(ordered) if is_last else bisect_left(ordered, _BOUNDS[bucket], start)
        counts[bucket] += end - start
        start = end


def _middle(bucket: int) -> int:
    if bucket == 0:
        return 0
    if bucket == len(_BOUNDS):
        return _BOUNDS[-1]
    return (_BOUNDS[bucket - 1] + _BOUNDS[bucket] - 1) // 2
