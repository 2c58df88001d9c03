"""A ledger moved to another database, all of it or nothing, and compared row by row.

Rows go over as they are, in the order of their keys, with the history as it is stored; what a
trigger would count a second time is counted anew from the source. The one thing that stays behind
is who may write: that is the new place's own.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

from messages.errors import LedgerUnavailable
from persistence.fence import WRITER
from persistence.postgres.words import in_values
from persistence.read_connection import ReadConnection
from persistence.statements import Row
from persistence.tables import TABLES

_PAGE = 2_000


class Table(msgspec.Struct, frozen=True):
    """One table, as both databases have it."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def first(self) -> str:
        """The SELECT of the first page."""
        return f"SELECT {self._columns} FROM {self.name} ORDER BY {self._key} LIMIT ?"  # noqa: S608 - names of our own tables

    @property
    def next(self) -> str:
        """The SELECT of the page after a key."""
        marks = ", ".join("?" * len(self.key))
        return (
            f"SELECT {self._columns} FROM {self.name} WHERE ({self._key}) > ({marks})"  # noqa: S608 - names of our own tables
            f" ORDER BY {self._key} LIMIT ?"
        )

    @property
    def _columns(self) -> str:
        return ", ".join(self.columns)

    @property
    def _key(self) -> str:
        return ", ".join(self.key)


class Target(Protocol):
    """A ledger that is being filled, in one transaction."""

    def begin(self) -> None:
        """Begin it."""

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Write some rows."""

    def empty(self, table: Table) -> None:
        """Take out what triggers have put there."""

    def commit(self) -> None:
        """Make all of it durable."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One table, as it was found alike on both sides."""

    table: str
    rows: int
    digest: str
    """Of all its rows, in the order of their keys."""


def tables() -> list[Table]:
    """Give the tables in an order in which each follows those that it points to."""
    found = []
    for model in TABLES:
        meta: Any = model._meta
        names = tuple(field.column_name for field in meta.sorted_fields)
        key = meta.primary_key
        parts = getattr(key, "field_names", None)
        fields = [meta.fields[name] for name in parts] if parts else [key]
        found.append(Table(meta.table_name, names, tuple(one.column_name for one in fields)))
    return found


def is_empty(reading: ReadConnection) -> bool:
    """Whether a ledger holds nothing yet that could be lost."""
    return not any(next(_rows(reading, table), None) for table in tables())


def copy(source: ReadConnection, target: Target, tell: Callable[[str, int], object]) -> None:
    """Write all of a ledger into an empty one. Nothing is there until it returns."""
    source.begin()
    try:
        target.begin()
        for table in tables():
            target.empty(table)
            done = 0
            for rows in _pages(source, table):
                target.put(table, rows)
                done += len(rows)
                tell(table.name, done)
        target.commit()
    finally:
        source.end()


def compare(one: ReadConnection, other: ReadConnection, todo: str) -> list[Moved]:
    """Compare two ledgers row by row and give what is alike.

    Raises:
        LedgerUnavailable: they differ; the text says where, and what is `todo` then.
    """
    return [_compared(one, other, table, todo) for table in tables()]


def _compared(one: ReadConnection, other: ReadConnection, table: Table, todo: str) -> Moved:
    digest, count = blake2b(digest_size=16), 0
    mine, theirs = _rows(one, table), _rows(other, table)
    while True:
        row, their_row = next(mine, None), next(theirs, None)
        if row != their_row:
            where = (row or their_row or ())[: len(table.columns)]
            key = dict(zip(table.columns, where, strict=False))
            named = ", ".join(str(key[name]) for name in table.key)
            raise LedgerUnavailable(f"the two ledgers differ in {table.name} at {named}: {todo}")
        if row is None:
            return Moved(table=table.name, rows=count, digest=digest.hexdigest())
        digest.update(msgspec.json.encode(row))
        count += 1


def _rows(reading: ReadConnection, table: Table) -> Iterator[Row]:
    for rows in _pages(reading, table):
        yield from rows


def _pages(reading: ReadConnection, table: Table) -> Iterator[list[Row]]:
    """Walk a table by its key, as PostgreSQL's text can hold it; see `postgres.words`."""
    places = [table.columns.index(name) for name in table.key]
    rows = reading.rows(table.first, (_PAGE,))
    while rows:
        last = rows[-1]
        ours = [row for row in rows if table.name != "flags" or row[0] != WRITER]
        yield [tuple(in_values(row)) for row in ours]
        if len(rows) < _PAGE:
            return
        rows = reading.rows(table.next, (*(last[place] for place in places), _PAGE))
