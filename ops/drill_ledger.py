"""Where the ledgers of the crash rehearsal are, and how one in PostgreSQL is taken away."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ops.drill_trap import Trap
from ops.drill_traps import DrillLedger
from persistence.ledger import Ledger, SqliteLedger
from persistence.ledger_place import LedgerPlace

GO_ON = b"the ledger is lost"
"""What a struck life waits for on its standard input."""


def watched(kind: type[DrillLedger], trap: Trap, where: Path | LedgerPlace) -> Ledger:
    """Open a ledger that says what it commits.

    Raises:
        LedgerUnavailable: it cannot be opened; lost, where that may pass.
    """
    made: Any = type(kind.__name__, (kind, _stored_in(where)), {"_trap": trap})
    ledger: Ledger = made(where)
    return ledger


def _stored_in(where: Path | LedgerPlace) -> type[Any]:
    if isinstance(where, Path):
        return SqliteLedger
    from persistence.postgres.ledger import PostgresLedger  # a driver that few need

    return PostgresLedger


class Database:
    """The database that the rehearsed ledgers are in; used by any thread.

    `url_env` names the environment variable with its address.
    """

    def __init__(self, url_env: str) -> None:
        self.url_env = url_env

    def place(self) -> LedgerPlace:
        """Name a ledger that is nobody's yet."""
        return LedgerPlace(schema=f"wk_drill_{secrets.token_hex(6)}", url_env=self.url_env)

    def lose(self, place: LedgerPlace, went_on: Callable[[], object]) -> None:
        """Take a ledger from who has it open; `went_on` is called when it is gone.

        Here its connections are cut, as by a server that is started anew at once.
        """
        self._say(
            place,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name LIKE '%' || $1",
            (place.schema,),
        )
        went_on()

    def check(self) -> None:
        """See that there is a database.

        Raises:
            LedgerUnavailable: one sentence says what is wrong.
        """
        self._say(self.place(), "SELECT 1")

    def drop(self, place: LedgerPlace) -> None:
        """Remove a ledger and all that is in it."""
        self._say(place, f"DROP SCHEMA IF EXISTS {place.schema} CASCADE")

    def _say(self, place: LedgerPlace, text: str, values: tuple[str, ...] = ()) -> None:
        from persistence.postgres.session import Session

        session = Session(place, "drill", writes=True)
        try:
            session.say(text, values)
        finally:
            session.close()
