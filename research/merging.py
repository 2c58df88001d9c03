"""What is in the store meets what is offered: nothing stored is changed without a word. Pure."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from research.candle_row import StoredRow

KEPT_CONFLICTS = 1_000


class Conflict(msgspec.Struct, frozen=True):
    """Two different candles of one time."""

    stored: StoredRow
    offered: StoredRow


class Merged(msgspec.Struct):
    """What became of the rows that were offered."""

    added: int = 0
    same: int = 0
    """They were there already."""
    replaced: int = 0
    kept: int = 0
    """The stored ones stayed, although the offered ones differ."""
    conflicts: list[Conflict] = []
    """The first thousand of those that were replaced or kept."""

    @property
    def is_change(self) -> bool:
        """Whether the store holds something that it did not hold before."""
        return bool(self.added or self.replaced)

    def take(self, other: "Merged") -> None:
        """Add up."""
        self.added += other.added
        self.same += other.same
        self.replaced += other.replaced
        self.kept += other.kept
        self.conflicts += other.conflicts[: KEPT_CONFLICTS - len(self.conflicts)]

    def resolve(self, stored: StoredRow, offered: StoredRow, *, replace: bool) -> StoredRow:
        """Give the one of two candles of one time that stays."""
        if stored == offered:
            self.same += 1
            return stored
        if len(self.conflicts) < KEPT_CONFLICTS:
            self.conflicts.append(Conflict(stored, offered))
        if replace:
            self.replaced += 1
            return offered
        self.kept += 1
        return stored


def in_order(rows: Iterable[StoredRow], merged: Merged, *, replace: bool) -> list[StoredRow]:
    """Sort rows by time and leave one for each.

    Of two that differ the one offered first stays, or with `replace` the last.
    """
    distinct: dict[int, StoredRow] = {}
    for row in rows:
        before = distinct.setdefault(row[0], row)
        if before is not row:
            distinct[row[0]] = merged.resolve(before, row, replace=replace)
    return [distinct[ts_ms] for ts_ms in sorted(distinct)]


def merge(
    stored: Sequence[StoredRow], offered: Sequence[StoredRow], merged: Merged, *, replace: bool
) -> Iterator[StoredRow]:
    """Give both in order of time, each time once; either must be so by itself."""
    place = 0
    for row in stored:
        while place < len(offered) and offered[place][0] < row[0]:
            merged.added += 1
            yield offered[place]
            place += 1
        if place < len(offered) and offered[place][0] == row[0]:
            yield merged.resolve(row, offered[place], replace=replace)
            place += 1
        else:
            yield row
    merged.added += len(offered) - place
    yield from offered[place:]
