"""One connection that can only read a ledger: the small interface that each database fills."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from persistence.ledger_place import LedgerPlace, place_in
from persistence.statements import Row


class ReadConnection(Protocol):
    """Belongs to the thread that opened it. It can neither write nor hold a writer up.

    Statements are the constant ones of `persistence`, in SQLite's words.

    Raises:
        LedgerUnavailable: from any method but `close`: it cannot be read; the text says why.
    """

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one SELECT and give all of it."""

    def pages(self, statement: str, values: Sequence[object], size: int) -> Iterator[list[Row]]:
        """Run one SELECT and give it page by page; memory is that of one page."""

    def begin(self) -> bool:
        """Let all that is read until `end` be of one moment; False: it is in one already."""

    def end(self) -> None:
        """Leave the moment."""

    def problems(self) -> list[str]:
        """Let the database check what it has stored, as far as it can; empty: nothing found."""

    def close(self) -> None:
        """Let go of it. Safe to repeat."""


def open_reading(where: Path | LedgerPlace) -> ReadConnection:
    """Open the ledger that is in a file, or where the file says it is.

    Raises:
        LedgerUnavailable: there is no ledger of this version.
    """
    place = where if isinstance(where, LedgerPlace) else place_in(where)
    if place is not None:
        from persistence.postgres.reading import PostgresReading  # a driver that few need

        return PostgresReading(place)
    from persistence.sqlite_reading import SqliteReading

    assert isinstance(where, Path)
    return SqliteReading(where)
