"""The ledger in PostgreSQL, which the holder of its lease alone writes, over one connection.

Each connection that is opened to write takes a number of its own, under the lease's token, and
waits until what an earlier one had under way has ended. From then on the earlier one's
statements are refused, also those that the network delivers late. So what is looked up after a
connection was lost is the truth: a claim whose commit was not answered is there, or never will be.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from messages.errors import LedgerFenced, LedgerLost
from persistence import statements as sql
from persistence.entries import LedgerEntry
from persistence.ledger_place import LedgerPlace
from persistence.postgres.migrate import upgrade
from persistence.postgres.session import Session
from persistence.reading import read_orders
from persistence.statements import Row
from persistence.stored_ledger import StoredLedger, Write, statements_of

PATIENCE_S = 4.0
"""So long a server that is just starting is waited for: less than the executor may take."""
_PAUSE_S = 0.25

_AS_HOLDER = (
    "UPDATE lease SET writer = writer + 1 WHERE token = $1 AND NOT returned RETURNING writer"
)
_AS_NOBODY = "UPDATE lease SET writer = writer + 1 WHERE returned RETURNING writer"
_SAY_WHO = "SELECT set_config('watchkeeper.writer', $1, false)"


class PostgresLedger(StoredLedger):
    """See `persistence.ledger.Ledger`.

    `token` is that of the lease that this process holds; None where nobody holds it, and then
    whoever takes it ends this one's writing.

    Raises:
        LedgerFenced: another process has taken it over; so does every method that writes.
        LedgerLost: the server did not let us in in time; and later from every method, once the
            connection is gone, until it is opened anew.
    """

    def __init__(
        self, place: LedgerPlace, token: int | None = None, *, patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__()
        self._place, self._token = place, token
        self._session = _patiently(lambda: open_writing(place, token), patience_s)
        try:
            self._load()
        except BaseException:
            self._session.close()
            raise

    def entries(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """See `Ledger.entries`. Uses a read-only connection of its own."""
        with self._session.errors():
            return read_orders(self._place, since_ns)

    def answers(self) -> bool:
        """See `Ledger.answers`. Opens a connection, which is what the next one will do."""
        try:
            open_writing(self._place, self._token).close()
        except LedgerLost:
            return False
        return True

    def tidy(self) -> None:
        """See `Ledger.tidy`. The server does that by itself; a lost one is noticed."""
        self._session.say("SELECT 1")

    def close(self) -> None:
        """See `Ledger.close`."""
        self._session.close()

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self._session.rows(statement, parameters)

    def _commit(self, writes: Sequence[Write]) -> None:
        statements = statements_of(writes)
        if len(statements) == 1:
            self._session.run(*statements[0])
        else:
            self._session.together(statements)


class Figures(Protocol):
    """Who is told; on the ledger's thread."""

    def committed(self, took_ns: int, claims: int) -> None:
        """One commit is durable."""


class MeasuredPostgresLedger(PostgresLedger):
    """See `PostgresLedger`. `now_ns` is the clock that durations are taken by."""

    def __init__(
        self,
        place: LedgerPlace,
        token: int | None = None,
        *,
        figures: Figures,
        now_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._figures, self._now_ns = figures, now_ns
        super().__init__(place, token)

    def _commit(self, writes: Sequence[Write]) -> None:
        begun_ns = self._now_ns()
        super()._commit(writes)
        claims = sum(1 for statement, _ in writes if statement is sql.INSERT_ORDER)
        self._figures.committed(self._now_ns() - begun_ns, claims)


def open_writing(place: LedgerPlace, token: int | None) -> Session:
    """Open a connection that may write, creating or upgrading the ledger if need be.

    Raises:
        LedgerFenced: another process holds the lease.
        LedgerUnavailable: it cannot be written; lost, where that may pass.
    """
    session = Session(place, f"writes {place.schema}", writes=True)
    try:
        upgrade(session, makes=token is None)
        session.say(_SAY_WHO, (str(_next_writer(session, token)),))
    except BaseException:
        session.close()
        raise
    return session


def _next_writer(session: Session, token: int | None) -> int:
    found = session.say(_AS_NOBODY) if token is None else session.say(_AS_HOLDER, (token,))
    if not found:
        raise LedgerFenced(f"{session.place}: another process has taken this ledger over")
    return int(found[0][0])


def _patiently(act: "Callable[[], Session]", patience_s: float) -> Session:
    end = time.monotonic() + patience_s
    while True:
        try:
            return act()
        except LedgerLost:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_S)
