"""Latencies in bounded memory, as HdrHistogram counts them: two significant digits.

Up to 255 ns a bucket is one nanosecond; every doubling beyond is cut into 128 equal parts.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import ceil

import msgspec

FOLD_AT = 2048
RELATIVE_ERROR = 1 / 128
_EXACT = 256
_PARTS = 128
_PART_BITS = 7
_PERCENTS = (50, 95, 99, 99.9)


class LatencyHistogram:
    """Counts nanoseconds, exact in their number, off by at most `RELATIVE_ERROR` in their size.

    `record` only appends; 2,048 at a time are sorted and counted, which is cheaper than finding
    the bucket of each. A bucket in which nothing fell takes no memory.

    One thread writes; others may read at any time, for reading changes nothing: at worst they
    miss, or see twice, the records of a fold that is under way.
    """

    __slots__ = ("_buffer", "_counts", "_max", "_sum", "append")

    def __init__(self) -> None:
        self._buffer: list[int] = []
        self.append = self._buffer.append
        """`record` for who calls `fold_when_full` after some, and at least every `FOLD_AT`."""
        self._counts: dict[int, int] = {}
        self._max = self._sum = 0

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
            self._sum += _sum(ordered)
            self._buffer.clear()

    @property
    def count(self) -> int:
        """How many were recorded."""
        return sum(self._counts.copy().values()) + len(self._buffer)

    @property
    def max(self) -> int:
        """The greatest, exact; 0 when there are none."""
        return max(self._max, max(self._buffer, default=0))

    @property
    def sum(self) -> int:
        """All of them together, exact."""
        return self._sum + _sum(sorted(self._buffer))

    def percentile(self, percent: float) -> int:
        """Give a latency that `percent` of all do not exceed; 0 when there are none.

        The upper end of the bucket that the least such one is in; 100 is the exact maximum.
        """
        return self._percentiles((percent,))[0]

    def merge(self, other: "LatencyHistogram") -> None:
        """Add what another counted; the other is not changed."""
        counts, greatest, total = other.tallied(), other.max, other.sum
        for bucket, count in counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self._max = max(self._max, greatest)
        self._sum += total

    def summary(self) -> dict[str, int]:
        """Give the count, p50, p95, p99, p999 and max, in nanoseconds."""
        p50, p95, p99, p999 = self._percentiles(_PERCENTS)
        return {
            "count": self.count,
            "max": self.max,
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "p999": p999,
        }

    def encode(self) -> bytes:
        """Give all that was counted, for another process to `decode` and `merge`."""
        counts = sorted(self.tallied().items())
        return msgspec.msgpack.encode((self.max, self.sum, counts))

    @classmethod
    def decode(cls, encoded: bytes) -> "LatencyHistogram":
        """Make a histogram of what `encode` gave.

        Raises:
            msgspec.DecodeError: it gave something else.
        """
        greatest, total, counts = msgspec.msgpack.decode(encoded, type=_Encoded)
        histogram = cls()
        histogram._max, histogram._sum = greatest, total
        histogram._counts = dict(counts)
        return histogram

    def since(self, before: "LatencyHistogram | None") -> "LatencyHistogram":
        """Give what was counted after an earlier `copy`; its `max` is of a bucket's accuracy."""
        if before is None:
            return self.copy()
        later, earlier = LatencyHistogram(), before.tallied()
        counts = {bucket: n - earlier.get(bucket, 0) for bucket, n in self.tallied().items()}
        later._counts = {bucket: n for bucket, n in counts.items() if n > 0}
        later._max = min(max(map(highest_in, later._counts), default=0), self.max)
        later._sum = max(self.sum - before.sum, 0)
        return later

    def copy(self) -> "LatencyHistogram":
        """Give one that is left behind when this one counts on."""
        other = LatencyHistogram()
        other.merge(self)
        return other

    def below(self, bounds: Sequence[int]) -> list[int]:
        """Give how many are at most as long as each bound, for bounds in rising order.

        A bucket counts where its upper end is.
        """
        counts = sorted((highest_in(bucket), n) for bucket, n in self.tallied().items())
        found, place, total = [], 0, 0
        for bound in bounds:
            while place < len(counts) and counts[place][0] <= bound:
                total += counts[place][1]
                place += 1
            found.append(total)
        return found

    def tallied(self) -> dict[int, int]:
        """Give how many fell into each bucket; see `highest_in`."""
        counts, buffer = self._counts.copy(), sorted(self._buffer)
        _tally(buffer, counts)
        return counts

    def _percentiles(self, percents: Sequence[float]) -> list[int]:
        counts, greatest = self.tallied(), self.max
        buckets = sorted(counts)
        up_to = list(accumulate(counts[bucket] for bucket in buckets))
        if not up_to:
            return [0 for _ in percents]
        total, found, place = up_to[-1], [], 0
        for percent in percents:
            rank = max(1, ceil(total * percent / 100))
            while up_to[place] < rank:
                place += 1
            found.append(greatest if rank >= total else min(highest_in(buckets[place]), greatest))
        return found


_Encoded = tuple[int, int, list[tuple[int, int]]]


def highest_in(bucket: int) -> int:
    """Give the greatest number of nanoseconds that falls into a bucket."""
    if bucket < _EXACT:
        return bucket
    up, part = (bucket >> _PART_BITS) - 1, _PARTS + bucket % _PARTS
    return ((part + 1) << up) - 1


def _tally(ordered: Sequence[int], counts: dict[int, int]) -> None:
    start, end = 0, len(ordered)
    while start < end:
        number = max(ordered[start], 0)
        if number < _EXACT:
            bucket, bound = number, number + 1
        else:
            up = number.bit_length() - _PART_BITS - 1
            part = number >> up
            bucket, bound = (up << _PART_BITS) + part, (part + 1) << up
        after = bisect_left(ordered, bound, start + 1)
        counts[bucket] = counts.get(bucket, 0) + after - start
        start = after


def _sum(ordered: Sequence[int]) -> int:
    return sum(ordered) if not ordered or ordered[0] >= 0 else sum(max(n, 0) for n in ordered)
