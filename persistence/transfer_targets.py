"""Where a ledger may be moved to: an empty one in PostgreSQL, or a new file."""

from collections.abc import Sequence
from pathlib import Path

from persistence.database import connection_of, ledger_errors, open_ledger_database
from persistence.many_rows import together
from persistence.postgres.session import Session
from persistence.statements import Row
from persistence.transfer import Table


class PostgresTarget:
    """See `Target`. The session may write; see `postgres.ledger.open_writing`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self) -> None:
        """See `Target.begin`. One statement of many rows may take its time."""
        self._session.take_time()
        self._session.say("BEGIN")

    def empty(self, table: Table) -> None:
        """See `Target.empty`."""
        if table.name == "state_counts":
            self._session.say("DELETE FROM state_counts")

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Target.put`."""
        self._session.copy_in(table.name, table.columns, rows)

    def commit(self) -> None:
        """See `Target.commit`."""
        self._session.say("COMMIT")


class FileTarget:
    """See `Target`: a file that nobody else knows of yet. Close it, then it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = open_ledger_database(path)

    def begin(self) -> None:
        """See `Target.begin`."""
        with ledger_errors(self._path):
            connection_of(self._database).execute("BEGIN IMMEDIATE")

    def empty(self, table: Table) -> None:
        """See `Target.empty`."""
        if table.name == "state_counts":
            with ledger_errors(self._path):
                connection_of(self._database).execute("DELETE FROM state_counts")

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Target.put`."""
        marks = ", ".join("?" * len(table.columns))
        names = ", ".join(table.columns)
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - ours
        with ledger_errors(self._path):
            for text, values in together(statement, rows):
                connection_of(self._database).execute(text, values)

    def commit(self) -> None:
        """See `Target.commit`."""
        with ledger_errors(self._path):
            connection_of(self._database).execute("COMMIT")

    def close(self) -> None:
        """Let go of it; its log is in it then."""
        with ledger_errors(self._path):
            self._database.close()
