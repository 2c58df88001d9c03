"""A ledger's file, read beside its writer. See `persistence.read_connection`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from persistence.database import connection_of, ledger_errors, open_for_reading
from persistence.statements import Row


class SqliteReading:
    """See `ReadConnection`. One moment keeps the writer from using its log again: be quick."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = open_for_reading(path)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """See `ReadConnection.rows`."""
        with ledger_errors(self._path):
            return connection_of(self._database).execute(statement, values).fetchall()

    def pages(self, statement: str, values: Sequence[object], size: int) -> Iterator[list[Row]]:
        """See `ReadConnection.pages`."""
        with ledger_errors(self._path):
            found = connection_of(self._database).execute(statement, values)
            while rows := found.fetchmany(size):
                yield rows

    def begin(self) -> bool:
        """See `ReadConnection.begin`."""
        with ledger_errors(self._path):
            connection = connection_of(self._database)
            if connection.in_transaction:
                return False
            connection.execute("BEGIN")
            return True

    def end(self) -> None:
        """See `ReadConnection.end`."""
        with ledger_errors(self._path):
            connection_of(self._database).execute("COMMIT")

    def problems(self) -> list[str]:
        """See `ReadConnection.problems`. SQLite checks the file's pages and rows."""
        found = [str(row[0]) for row in self.rows("PRAGMA quick_check(5)")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """See `ReadConnection.close`."""
        self._database.close()
