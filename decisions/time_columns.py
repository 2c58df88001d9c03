"""A series in bounded memory: columns of equal width that become wider when time goes on. Pure."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from messages.ids import NS_PER_MS

C = TypeVar("C")
_PARTS = 8
_EXACT = 2 * _PARTS
_EVER = (-(2**63), 2**63)


class TimeColumns(Generic[C]):
    """At most `most` columns. `merge` adds its second argument to the first.

    What is earlier than the first moment, after a clock went back, counts in the first column.
    A moment that does not lie `between` two others has none.
    """

    def __init__(
        self,
        new: Callable[[], C],
        merge: Callable[[C, C], object],
        *,
        most: int = 1_000,
        width_ns: int = 100 * NS_PER_MS,
        between: tuple[int, int] = _EVER,
    ) -> None:
        self._new, self._merge, self._most = new, merge, most
        self._after_ns, self._before_ns = between
        self.width_ns = width_ns
        self._origin_ns: int | None = None
        self._cells: dict[int, C] = {}
        # What came last, for nearly all moments lie where the one before them lay.
        self._newest: C | None = None
        self._from_ns = self._until_ns = 0

    def at(self, ts_ns: int) -> C:
        """Give the column of a moment, to be changed.

        Raises:
            ValueError: the moment has none.
        """
        if self._newest is not None and self._from_ns <= ts_ns < self._until_ns:
            return self._newest
        if not self._after_ns < ts_ns < self._before_ns:
            raise ValueError(f"{ts_ns} ns is not between {self._after_ns} and {self._before_ns}")
        if self._origin_ns is None:
            self._origin_ns = ts_ns - ts_ns % self.width_ns
        index = max((ts_ns - self._origin_ns) // self.width_ns, 0)
        while index >= self._most:
            self._widen()
            index = (ts_ns - self._origin_ns) // self.width_ns
        cell = self._cells.get(index)
        if cell is None:
            cell = self._cells[index] = self._new()
        self._remember(cell, self._origin_ns + index * self.width_ns)
        return cell

    def _remember(self, cell: C, start_ns: int) -> None:
        self._newest = cell
        self._from_ns = max(start_ns, self._after_ns + 1)
        self._until_ns = min(start_ns + self.width_ns, self._before_ns)

    def __iter__(self) -> Iterator[tuple[int, C]]:
        """Give the columns that hold something, in order, each with the moment it begins."""
        origin = self._origin_ns or 0
        for index in sorted(self._cells):
            yield origin + index * self.width_ns, self._cells[index]

    def __len__(self) -> int:
        return len(self._cells)

    def _widen(self) -> None:
        halved: dict[int, C] = {}
        for index in sorted(self._cells):
            if index // 2 in halved:
                self._merge(halved[index // 2], self._cells[index])
            else:
                halved[index // 2] = self._cells[index]
        self._cells = halved
        self.width_ns *= 2


class Spread:
    """Counts nanoseconds coarser than `decisions.histogram`, with room only for what came.

    Every doubling is cut into 8 equal parts (there it is 128) and a percentile is the middle of
    one, not its upper end: off by 6.25 % at most. For the many that are small: a chart's columns.
    """

    __slots__ = ("_counts", "count", "greatest")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.greatest = 0

    def add(self, ns: int, times: int = 1) -> None:
        """Count one latency; less than 0 counts as 0."""
        if ns < _EXACT:
            ns = bucket = max(ns, 0)
        else:
            shift = ns.bit_length() - 4
            bucket = shift * _PARTS + (ns >> shift)
        self._counts[bucket] = self._counts.get(bucket, 0) + times
        self.count += times
        if ns > self.greatest:
            self.greatest = ns

    def merge(self, other: "Spread") -> None:
        """Add what another counted."""
        for bucket, times in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + times
        self.count += other.count
        self.greatest = max(self.greatest, other.greatest)

    def percentiles(self, percents: tuple[float, ...]) -> list[int]:
        """Give for each the least latency that so many percent do not exceed; 0 without any."""
        found = []
        ordered = sorted(self._counts.items())
        for percent in percents:
            rank, so_far, value = max(1.0, self.count * percent / 100), 0, 0
            for bucket, times in ordered:
                so_far += times
                value = _middle(bucket)
                if so_far >= rank:
                    break
            found.append(min(value, self.greatest))
        return found


def _middle(bucket: int) -> int:
    if bucket < _EXACT:
        return bucket
    shift = bucket // _PARTS - 1
    return ((bucket - shift * _PARTS) << shift) + ((1 << shift) - 1) // 2
