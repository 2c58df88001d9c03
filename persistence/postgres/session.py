"""One connection to a ledger in PostgreSQL, set so that a commit that returned survives.

psycopg is imported only when a ledger is there. What a lost server, a cut network
or a paused database does to a connection is bounded: by the server's own limits where it lives,
by the kernel's where packets stay out, and by a limit of ours on every answer that is waited for.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from peewee import PeeweeException

from messages.errors import (
    LedgerAway,
    LedgerConflict,
    LedgerFenced,
    LedgerLost,
    LedgerUnavailable,
)
from persistence.ledger_place import LedgerPlace
from persistence.postgres.address import parameters_of
from persistence.postgres.away import is_away
from persistence.postgres.schema import FENCED, MOVED, UNNAMED
from persistence.postgres.words import in_values, in_words
from persistence.statements import Row

if TYPE_CHECKING:
    import psycopg

    from persistence.postgres.driver import PatientConnection

CONNECT_S = 3
"""So long may it take until the server has let us in."""
ANSWER_S = 8.0
"""So long is an answer waited for; then the connection is given up and the outcome unknown."""
READ_S = 60
"""So long where nobody waits but who asked: a look at all executions of years takes a while."""
_SPARE_S = 5
_STATEMENT_MS = 5_000
_LOCK_MS = 3_000
_IDLE_MS = 5_000
"""Within a transaction: a client that is gone must not keep others from the lease's row."""

_KERNEL = {
    "connect_timeout": CONNECT_S,
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}
"""A cut network is found within the lease; an address may say otherwise."""

_SETTINGS = {
    "synchronous_commit": "on",
    "statement_timeout": f"{_STATEMENT_MS}ms",
    "lock_timeout": f"{_LOCK_MS}ms",
    "idle_in_transaction_session_timeout": f"{_IDLE_MS}ms",
    "client_connection_check_interval": "2s",
    # The server, too, asks whether an idle client is there: each cut of the network would leave
    # it sessions for two hours, until it has no room for anybody.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "default_transaction_isolation": "read committed",
}
_FOUND = (
    "SELECT current_setting('synchronous_commit'), current_setting('server_version_num')::int,"
    " pg_backend_pid()"
)
_LEAST_VERSION = 140_000

_COMES_BACK = frozenset({"08", "25", "40", "53", "55", "57", "58"})
"""Classes of SQLSTATE that say: not now."""
_NO_LEDGER = frozenset({"3F000", "42P01"})


class Session:
    """One open connection. Belongs to the thread that made it.

    `name` is what the server's own lists show of it.

    Raises:
        LedgerLost: the server is away; later too, from every method.
        LedgerUnavailable: the address, the login or a setting is wrong; the text says which.
    """

    def __init__(self, place: LedgerPlace, name: str, *, writes: bool) -> None:
        self.place = place
        self._is_lost = self._is_closed = self._is_let_in = False
        parameters = {**_KERNEL, **parameters_of(place)}
        parameters["application_name"] = f"watchkeeper {name}"[:63]
        from persistence.postgres.driver import Database, cursor_of

        self.database = Database(place.schema, parameters)
        with self.errors():
            self.database.connect()
            self._is_let_in = True
            try:
                self._connection: PatientConnection = self.database.connection()  # type: ignore[no-untyped-call]  # peewee has no types
                self._cursor = cursor_of(self._connection)
                self._set_up(writes=writes)
            except BaseException:
                self.close()
                raise

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one constant SELECT, in SQLite's words, and give all of it."""
        with self.errors():
            return self._cursor.execute(in_words(statement), in_values(values)).fetchall()

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run one constant statement as a transaction of its own; give how many rows it wrote."""
        with self.errors():
            return self._cursor.execute(in_words(statement), in_values(values)).rowcount

    def together(self, statements: Sequence[tuple[str, Sequence[object]]]) -> None:
        """Run constant statements as one transaction, in one way there and back."""
        with self.errors(), self._connection.pipeline(), self._connection.transaction():
            for statement, values in statements:
                self._cursor.execute(in_words(statement), in_values(values))

    def say(self, text: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a statement that is in PostgreSQL's own words; give its rows, if it has any."""
        with self.errors():
            found = self._cursor.execute(text, values)
            return found.fetchall() if found.description else []

    def change(self, text: str, values: Sequence[object]) -> int:
        """Run a statement that is in PostgreSQL's own words; give how many rows it wrote."""
        with self.errors():
            return self._cursor.execute(text, values).rowcount

    def copy_in(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Write many rows of one table, within the transaction that is open."""
        text = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with self.errors(), self._cursor.copy(text) as copy:
            for row in rows:
                copy.write_row(in_values(row))

    def stream(self, text: str, values: Sequence[object]) -> Generator[Row]:
        """Run a SELECT that is in PostgreSQL's own words; give rows as they come. Within `errors`.

        Until the last one nothing else may be asked of this session.
        """
        from persistence.postgres.driver import cursor_of

        yield from cursor_of(self._connection).stream(text, values)

    def take_time(self) -> None:
        """Let statements and answers take as long as a person's question may."""
        self._connection.limit_s = READ_S + _SPARE_S
        self.say(f"SET statement_timeout = '{READ_S}s'")
        self.say(f"SET idle_in_transaction_session_timeout = '{READ_S}s'")

    def close(self) -> None:
        """Let go of it. Safe to repeat."""
        self._is_closed = True
        with suppress(Exception):  # a server that is gone is let go of too
            if not self.database.is_closed():
                self.database.close()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what psycopg or peewee raise inside into the house's errors, with the cause.

        Raises:
            LedgerConflict: a row with this key is there already.
            LedgerFenced: this process may not write it any more.
            LedgerLost: the server is away or takes no writes; what was under way may be done.
            LedgerUnavailable: anything else. Nothing was done.
        """
        if self._is_closed:
            raise LedgerUnavailable(f"{self.place} is closed")
        if self._is_lost:
            raise LedgerAway(f"{self.place}: the connection was lost")
        try:
            yield
        except Exception as error:
            import psycopg

            cause = _cause(error)
            if isinstance(cause, PeeweeException):
                raise LedgerUnavailable(f"{self.place} cannot be used: {cause}") from cause
            if not isinstance(cause, psycopg.Error):
                raise
            problem = _problem(self.place, cause, is_let_in=self._is_let_in)
            self._is_lost = isinstance(problem, LedgerLost)
            raise problem from cause

    def _set_up(self, *, writes: bool) -> None:
        settings = {
            **_SETTINGS,
            "search_path": '"' + self.place.schema.replace('"', '""') + '"',
            "default_transaction_read_only": "off" if writes else "on",
        }
        text = ", ".join(
            f"set_config(${at}, ${at + 1}, false)" for at in range(1, 2 * len(settings), 2)
        )
        self._cursor.execute(
            f"SELECT {text}",
            [word for pair in settings.items() for word in pair],
        )
        ((commits, version, backend),) = self._cursor.execute(_FOUND).fetchall()
        is_direct = backend == self._connection.info.backend_pid
        if problem := refused(commits, version, is_direct=is_direct):
            raise LedgerUnavailable(f"{self.place} cannot be kept there: {problem}")


def server_settings(place: LedgerPlace) -> dict[str, str]:
    """Give what decides whether a commit of this server survives. Nothing is written.

    Raises:
        LedgerUnavailable: it cannot be asked.
    """
    session = Session(place, "doctor", writes=False)
    try:
        names = ("fsync", "full_page_writes", "synchronous_standby_names", "server_version")
        found = {name: session.say(f"SHOW {name}")[0][0] for name in names}
        return found | {"in_recovery": session.say("SELECT pg_is_in_recovery()::text")[0][0]}
    finally:
        session.close()


def refused(synchronous_commit: str, version: int, *, is_direct: bool) -> str:
    """Say why a server cannot hold a ledger; empty: it can.

    `is_direct`: whether who let us in is who answers. A pooler gives a process number of its own,
    and may hand the session, with the ledger that it is set to, to somebody else's statement.
    """
    if not is_direct:
        return "a pooler stands between: connect to the server itself"
    if version < _LEAST_VERSION:
        return f"its server is PostgreSQL {version // 10_000}: 14 is the least"
    if synchronous_commit in ("off", "local"):
        return f"synchronous_commit stays {synchronous_commit!r} although this session sets it on"
    return ""


def _cause(error: BaseException) -> BaseException:
    """Find what the driver said inside what peewee makes of it."""
    while isinstance(error, PeeweeException) and (inner := error.__cause__ or error.__context__):
        error = inner
    return error


def _problem(
    place: LedgerPlace, error: "psycopg.Error", *, is_let_in: bool
) -> LedgerUnavailable | LedgerConflict:
    state = error.sqlstate or ""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    if state == FENCED:
        return LedgerFenced(f"{place}: {said}: this one may not write any more")
    if state == UNNAMED:
        return LedgerUnavailable(
            f"{place}: {said}: a pooler that does not keep a session's settings stands between;"
            " connect to the server itself"
        )
    if state == MOVED:
        return LedgerUnavailable(f"{place}: {said}: stop one of the two")
    if state[:2] == "23":
        return LedgerConflict(f"{place} refused a row: {said}")
    if state in _NO_LEDGER:
        return LedgerUnavailable(f"{place} is not there: has this run ever started? ({said})")
    if _comes_back(error):
        kind = LedgerAway if state or is_let_in or is_away(str(error)) else LedgerLost
        return kind(f"{place} cannot be used now: {said}")
    return LedgerUnavailable(f"{place} cannot be used: {said}")


def _comes_back(error: "psycopg.Error") -> bool:
    """Whether it is worth to come again: everything but a statement that the server refused."""
    import psycopg

    if error.sqlstate:
        return error.sqlstate[:2] in _COMES_BACK
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


Answer = Generator[Any, Any, Any]


def until(answer: Answer, limit_s: float, late: BaseException) -> Answer:
    """Follow an answer that is waited for, and raise `late` when it takes too long."""
    end = time.monotonic() + limit_s
    try:
        wanted = next(answer)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                answer.close()
                raise late
            wanted = answer.send(ready)
    except StopIteration as done:
        return done.value
