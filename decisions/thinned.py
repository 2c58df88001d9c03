"""A long series for a chart, thinned as it comes: no peak and no trough is lost. Pure; floats.

Time is cut into pieces. Of each piece the first point and the last are kept, and of each column the
least and the greatest; pieces become longer when there are too many points, so that memory does
not grow with the series.
"""

from bisect import bisect_left
from collections.abc import Sequence

Columns = Sequence[Sequence[float]]

MOST_POINTS = 6_000


class Thinned:
    """Takes a series of several columns block by block; times are UTC nanoseconds, in order."""

    def __init__(self, columns: int, most: int = MOST_POINTS) -> None:
        self.times_ns: list[int] = []
        self.columns: list[list[float]] = [[] for _ in range(columns)]
        self.points = 0
        """So many there were."""
        self._most, self._width_ns = most, 0

    def take(self, times_ns: Sequence[int], columns: Columns) -> None:
        """Go on with these."""
        self.points += len(times_ns)
        self._add(times_ns, columns)
        while len(self.times_ns) > self._most:
            span = self.times_ns[-1] - self.times_ns[0]
            # Each piece keeps at most its ends and two of each column.
            fewest = max(self._most // (4 * (len(self.columns) + 1)), 1)
            before = self._width_ns
            self._width_ns = 2 * before or max(span // fewest, 1)
            times, rows = self.times_ns, self.columns
            self.times_ns, self.columns = [], [[] for _ in rows]
            self._add(times, rows)
            if self._width_ns > 2 * span + 1:
                break

    def _add(self, times_ns: Sequence[int], columns: Columns) -> None:
        if not self._width_ns:
            chosen: Sequence[int] = range(len(times_ns))
        else:
            chosen = self._chosen(times_ns, columns)
        self.times_ns += [times_ns[at] for at in chosen]
        for kept, column in zip(self.columns, columns, strict=True):
            kept += [column[at] for at in chosen]

    def _chosen(self, times_ns: Sequence[int], columns: Columns) -> list[int]:
        found, start, count = set[int](), 0, len(times_ns)
        while start < count:
            ends_ns = times_ns[start] - times_ns[start] % self._width_ns + self._width_ns
            stop = bisect_left(times_ns, ends_ns, start)
            found |= {start, stop - 1}
            for column in columns:
                piece = column[start:stop]
                found |= {start + piece.index(min(piece)), start + piece.index(max(piece))}
            start = stop
        return sorted(found)
