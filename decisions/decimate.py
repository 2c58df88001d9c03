"""Which points of a long series a chart needs: no peak and no trough goes unseen. Pure."""

from collections.abc import Sequence
from decimal import Decimal


def kept_indices(values: Sequence[Decimal], columns: int) -> list[int]:
    """Give the indices of first, least, greatest and last of each column, in order.

    Columns hold equally many points. All indices when there are no more than that would keep.
    """
    count = len(values)
    if count <= 4 * columns:
        return list(range(count))
    kept: set[int] = set()
    for column in range(columns):
        start, end = count * column // columns, count * (column + 1) // columns
        inside = range(start, end)
        kept |= {start, end - 1}
        kept.add(min(inside, key=values.__getitem__))
        kept.add(max(inside, key=values.__getitem__))
    return sorted(kept)
