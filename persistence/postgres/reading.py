"""A ledger in PostgreSQL, read beside its writer. See `persistence.read_connection`."""

from collections.abc import Iterator, Sequence
from itertools import islice

from persistence.ledger_place import LedgerPlace
from persistence.postgres.migrate import check_current
from persistence.postgres.session import Session
from persistence.postgres.words import in_values, in_words
from persistence.statements import Row

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_INVALID = (
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = current_schema() AND NOT (i.indisvalid AND i.indisready)"
)
_MISSING = (
    "SELECT t.name FROM (VALUES ('orders'), ('flags'), ('stops')) AS t (name)"
    " WHERE NOT EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = to_regclass(t.name)"
    " AND g.tgname = 'fence' AND g.tgenabled = 'O')"
)


class PostgresReading:
    """See `ReadConnection`. A writer waits for no reader."""

    def __init__(self, place: LedgerPlace) -> None:
        self._session = Session(place, f"reads {place.schema}", writes=False)
        self._in_moment = False
        try:
            self._session.take_time()
            check_current(self._session)
        except BaseException:
            self._session.close()
            raise
        self.rows = self._session.rows

    def pages(self, statement: str, values: Sequence[object], size: int) -> Iterator[list[Row]]:
        """See `ReadConnection.pages`. Until it is read to its end nothing else may be asked."""
        with self._session.errors():
            found = self._session.stream(in_words(statement), in_values(values))
            try:
                while rows := list(islice(found, size)):
                    yield rows
            finally:
                found.close()

    def begin(self) -> bool:
        """See `ReadConnection.begin`."""
        if self._in_moment:
            return False
        self._session.say(_BEGIN)
        self._in_moment = True
        return True

    def end(self) -> None:
        """See `ReadConnection.end`."""
        self._in_moment = False
        self._session.say("COMMIT")

    def problems(self) -> list[str]:
        """See `ReadConnection.problems`: indexes that are not valid, a fence that was taken away.

        Pages are the server's to check: it does so on each read, where its cluster has checksums.
        """
        found = [f"the index {name} is not valid" for (name,) in self._session.say(_INVALID)]
        return found + [f"{name} has lost its fence" for (name,) in self._session.say(_MISSING)]

    def close(self) -> None:
        """See `ReadConnection.close`."""
        self._session.close()
