"""Counts what is wrong with the rows of a recording, and names the places: each row once."""

from collections.abc import Callable

import msgspec

from exchanges.raw_rows import Complaints
from exchanges.source import GapSpan, SourceStats
from messages.ids import Symbol

_ANY = Symbol("")


class Tally:
    """Counts what is beyond the furthest row reached so far, and names the places."""

    __slots__ = ("_parts", "_symbol", "stats")

    def __init__(self, stats: SourceStats, file: str, symbol: Symbol = _ANY) -> None:
        self.stats = stats
        self._parts, self._symbol = [(0, file)], symbol

    def begin(self, file: str, before: int) -> None:
        """Name the rows after so many by another file, from its own first row on."""
        self._parts.append((before, file))

    def usable(self, row: int) -> None:
        """Count a row that became an event."""
        if row > self.stats.reached:
            self.stats.reached = row
            self.stats.usable += 1

    def malformed(self, row: int, why: str) -> None:
        """Count a row that makes no sense."""
        if self._is_new(row, why):
            self.stats.malformed += 1

    def cut_off(self, row: int, why: str) -> None:
        """Count all from a row to the file's end as one malformed row, and say which file it is."""
        if self._is_new(row, why):
            self.stats.malformed += 1
            file, line = self._place(row)
            text = f"{file} is cut off or damaged after line {line - 1}: get it again"
            self.stats.cut_off.append(text)

    def duplicate(self, row: int, why: str) -> None:
        """Count a row that was there already."""
        if self._is_new(row, why):
            self.stats.duplicate += 1

    def out_of_order(self, row: int, why: str) -> None:
        """Count a row older than the one before it."""
        if self._is_new(row, why):
            self.stats.out_of_order += 1

    def gap(self, row: int, span: GapSpan) -> None:
        """Count what is missing before a row that is fine itself."""
        if row > self.stats.reached:
            file, line = self._place(row)
            found = msgspec.structs.replace(span, symbol=self._symbol, place=f"{file}:{line}")
            self.stats.note_gap(found)

    def _is_new(self, row: int, why: str) -> bool:
        if row <= self.stats.reached:
            return False
        self.stats.reached = row
        file, line = self._place(row)
        self.stats.note(f"{file}:{line}: {why}")
        return True

    def _place(self, row: int) -> tuple[str, int]:
        # A reader may be rows ahead of who judges them, in the next file already.
        before, file = next(part for part in reversed(self._parts) if part[0] < row)
        return file, row - before


class PartTally:
    """What a reader of one file of several tells, in that file's own row numbers."""

    __slots__ = ("_before", "_whole", "furthest")

    def __init__(self, whole: Complaints, before: int) -> None:
        self._whole, self._before = whole, before
        self.furthest = 0

    def malformed(self, row: int, why: str) -> None:
        """Count a row that makes no sense."""
        self.furthest = max(self.furthest, row)
        self._whole.malformed(row + self._before, why)

    def cut_off(self, row: int, why: str) -> None:
        """Count a file whose end cannot be read."""
        self.furthest = max(self.furthest, row)
        self._whole.cut_off(row + self._before, why)


class Held:
    """Keeps what a reader tells until the rows before it are judged, where it is ahead of that."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told: list[tuple[int, str, Callable[[Tally, int, str], None]]] = []
        """Each with what is to be called of it."""

    def malformed(self, row: int, why: str) -> None:
        """Keep it."""
        self.told.append((row, why, Tally.malformed))

    def cut_off(self, row: int, why: str) -> None:
        """Keep it."""
        self.told.append((row, why, Tally.cut_off))
