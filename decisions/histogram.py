"""Latencies in bounded memory, as HdrHistogram counts them: two significant digits.

Up to 255 ns a bucket is one nanosecond; every doubling beyond is cut into 128 equal parts.
"""

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import ceil, inf
from typing import NamedTuple

import msgspec

FOLD_AT = 2048
RELATIVE_ERROR = 1 / 128
_EXACT = 256
_PARTS = 128
_PART_BITS = 7
_PERCENTS = (50, 95, 99, 99.9)


class Folded(NamedTuple):
    """What was counted. Never changed, only replaced: who has it may read it at leisure."""

    buckets: "array[int]"
    """In which something fell, ascending."""
    counts: "array[int]"
    greatest: int
    total: int
    number: int
    """Of the buffer that goes with it, which bears it in its first place."""

    @classmethod
    def of(cls, counts: Mapping[int, int], greatest: int, total: int, number: int) -> "Folded":
        """Give what fell into each bucket as arrays, which take far less than a mapping."""
        buckets = array("H", sorted(counts))
        return cls(buckets, array("q", map(counts.__getitem__, buckets)), greatest, total, number)

    def tallied(self) -> dict[int, int]:
        """Give what fell into each bucket, to go on with."""
        return dict(zip(self.buckets, self.counts, strict=True))


class HistogramView:
    """What a histogram held at one moment; all that it tells is of that moment.

    What waited to be counted is only sorted, not counted: that is for the thread that writes.
    """

    __slots__ = ("_buckets", "_folded", "_up_to", "_waiting", "count", "max", "sum")

    def __init__(self, folded: Folded, waiting: list[int]) -> None:
        waiting.sort()
        self._folded, self._waiting = folded, waiting
        self._buckets = folded.buckets
        self._up_to = list(accumulate(folded.counts, initial=0))
        self.count = self._up_to[-1] + len(waiting)
        """How many were recorded."""
        self.max = max(folded.greatest, waiting[-1] if waiting else 0)
        """The greatest, exact; 0 when there are none."""
        self.sum = folded.total + _sum(waiting)
        """All of them together, exact."""

    def percentiles(self, percents: Sequence[float]) -> list[int]:
        """Give latencies that so many percent of all do not exceed; see `percentile`."""
        total, greatest = self.count, self.max
        if not total:
            return [0 for _ in percents]
        buckets, found = range(_bucket_of(greatest) + 1), []
        for percent in percents:
            rank = max(1, ceil(total * percent / 100))
            if rank >= total:
                found.append(greatest)
            else:
                bucket = bisect_left(buckets, rank, key=self._up_to_bucket)
                found.append(min(highest_in(bucket), greatest))
        return found

    def below(self, bounds: Sequence[int]) -> list[int]:
        """Give how many are at most as long as each bound. A bucket counts where it ends."""
        buckets, up_to, waiting = self._buckets, self._up_to, self._waiting
        return [
            up_to[bisect_right(buckets, bucket)] + bisect_right(waiting, end)
            for bucket, end in _last_within(tuple(bounds))
        ]

    def tallied(self) -> dict[int, int]:
        """Give how many fell into each bucket; see `highest_in`."""
        counts = self._folded.tallied()
        _tally(self._waiting, counts)
        return counts

    def _up_to_bucket(self, bucket: int) -> int:
        counted = self._up_to[bisect_right(self._buckets, bucket)]
        return counted + bisect_right(self._waiting, highest_in(bucket))


_NOTHING = Folded.of({}, 0, 0, 0)


class LatencyHistogram:
    """Counts nanoseconds, exact in their number, off by at most `RELATIVE_ERROR` in their size.

    `record` only appends; 2,048 at a time are sorted and counted, which is cheaper than finding
    the bucket of each. They wait as machine words, for a bot has some sixty of these: as Python's
    numbers they took five times as much. A bucket in which nothing fell takes no memory.

    Any thread may write and read at any time: one writes, another notes what that one hangs on,
    and one that was given up may come back to itself. Nobody waits for anybody. A `view` is of one
    moment, whatever is folded meanwhile, and a later one never holds less.
    """

    __slots__ = ("_buffer", "_folded", "_folding", "append")

    def __init__(self) -> None:
        self._buffer = array("q", [0])
        self.append = self._buffer.append
        """`record` for who calls `fold_when_full` after some, and at least every `FOLD_AT`."""
        self._folded = (_NOTHING, _NOTHING)
        """The last two: while one is made, the buffer is still that of the one before it."""
        self._folding = threading.Lock()

    def record(self, ns: int) -> None:
        """Count one latency; less than 0 counts as 0."""
        self.append(ns)
        if len(self._buffer) > FOLD_AT:
            self.fold_when_full()

    def fold_when_full(self) -> None:
        """Count what was appended, if it is enough to be worth it and nobody else is at it."""
        if len(self._buffer) > FOLD_AT and self._folding.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._folding.release()

    def _fold(self) -> None:
        waiting, before = self._buffer[1:], self._folded[-1]
        if not waiting:
            return
        size, ordered = len(waiting), sorted(waiting)
        counts = before.tallied()
        _tally(ordered, counts)
        after = Folded.of(
            counts,
            max(before.greatest, ordered[-1]),
            before.total + _sum(ordered),
            before.number + 1,
        )
        self._folded = (before, after)
        # In one step what was folded goes and the buffer is that of `after`; what somebody
        # appended meanwhile stays in it.
        self._buffer[: 1 + size] = array("q", [after.number])

    def view(self) -> HistogramView:
        """Give what was recorded until now; any thread."""
        while True:  # once, unless 2,048 messages pass between its first two lines
            waiting = self._buffer[:].tolist()
            for folded in self._folded:
                if folded.number == waiting[0]:
                    del waiting[0]
                    return HistogramView(folded, waiting)

    @property
    def count(self) -> int:
        """How many were recorded."""
        return self.view().count

    @property
    def max(self) -> int:
        """The greatest, exact; 0 when there are none."""
        return self.view().max

    @property
    def sum(self) -> int:
        """All of them together, exact."""
        return self.view().sum

    def percentile(self, percent: float) -> int:
        """Give a latency that `percent` of all do not exceed; 0 when there are none.

        The upper end of the bucket that the least such one is in; 100 is the exact maximum.
        """
        return self.view().percentiles((percent,))[0]

    def merge(self, other: "LatencyHistogram") -> None:
        """Add what another counted, which is not changed. Nobody may write here meanwhile."""
        view, before = other.view(), self._folded[-1]
        counts = before.tallied()
        for bucket, count in view.tallied().items():
            counts[bucket] = counts.get(bucket, 0) + count
        greatest, total = max(before.greatest, view.max), before.total + view.sum
        self._hold(Folded.of(counts, greatest, total, before.number))

    def _hold(self, folded: Folded) -> None:
        self._folded = (folded, folded)

    def summary(self) -> dict[str, int]:
        """Give the count, p50, p95, p99, p999 and max, in nanoseconds."""
        view = self.view()
        p50, p95, p99, p999 = view.percentiles(_PERCENTS)
        return {
            "count": view.count,
            "max": view.max,
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "p999": p999,
        }

    def encode(self) -> bytes:
        """Give all that was counted, for another process to `decode` and `merge`."""
        view = self.view()
        return msgspec.msgpack.encode((view.max, view.sum, sorted(view.tallied().items())))

    @classmethod
    def decode(cls, encoded: bytes) -> "LatencyHistogram":
        """Make a histogram of what `encode` gave.

        Raises:
            msgspec.DecodeError: it gave something else.
        """
        greatest, total, counts = msgspec.msgpack.decode(encoded, type=_Encoded)
        histogram = cls()
        try:
            histogram._hold(Folded.of(dict(counts), greatest, total, 0))
        except OverflowError as error:
            raise msgspec.ValidationError(
                f"no histogram has such a bucket or count: {error}"
            ) from error
        return histogram

    def since(self, before: "LatencyHistogram | None") -> "LatencyHistogram":
        """Give what was counted after an earlier `copy`; its `max` is of a bucket's accuracy."""
        if before is None:
            return self.copy()
        now, then = self.view(), before.view()
        earlier, later = then.tallied(), LatencyHistogram()
        differences = {bucket: n - earlier.get(bucket, 0) for bucket, n in now.tallied().items()}
        counts = {bucket: n for bucket, n in differences.items() if n > 0}
        greatest = min(max(map(highest_in, counts), default=0), now.max)
        later._hold(Folded.of(counts, greatest, max(now.sum - then.sum, 0), 0))
        return later

    def copy(self) -> "LatencyHistogram":
        """Give one that is left behind when this one counts on."""
        other = LatencyHistogram()
        other.merge(self)
        return other

    def below(self, bounds: Sequence[int]) -> list[int]:
        """Give how many are at most as long as each bound. A bucket counts where it ends."""
        return self.view().below(bounds)

    def tallied(self) -> dict[int, int]:
        """Give how many fell into each bucket; see `highest_in`."""
        return self.view().tallied()


_Encoded = tuple[int, int, list[tuple[int, int]]]


def highest_in(bucket: int) -> int:
    """Give the greatest number of nanoseconds that falls into a bucket."""
    if bucket < _EXACT:
        return bucket
    up, part = (bucket >> _PART_BITS) - 1, _PARTS + bucket % _PARTS
    return ((part + 1) << up) - 1


def _bucket_of(number: int) -> int:
    """Give the bucket that a number from 0 on falls into."""
    if number < _EXACT:
        return number
    up = number.bit_length() - _PART_BITS - 1
    return (up << _PART_BITS) + (number >> up)


@lru_cache(16)
def _last_within(bounds: tuple[int, ...]) -> list[tuple[int, float]]:
    """Give the last bucket that does not go beyond each bound, and where it ends."""
    found: list[tuple[int, float]] = []
    for bound in bounds:
        bucket = _bucket_of(max(bound, 0))
        bucket -= highest_in(bucket) > bound
        found.append((bucket, highest_in(bucket) if bucket >= 0 else -inf))
    return found


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
    return sum(ordered[bisect_left(ordered, 0) :])
