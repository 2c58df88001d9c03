"""The parts of psycopg that are set for this use. Imported where a connection is opened."""

from collections.abc import Mapping
from typing import Any

import psycopg
from peewee import PostgresqlDatabase, Psycopg3Adapter
from psycopg import RawCursor
from psycopg.pq import TransactionStatus

from persistence.postgres.session import ANSWER_S, until


class PatientConnection(psycopg.Connection[Any]):
    """A connection whose every answer has a limit: a server that is paused closes nothing."""

    limit_s: float | None = None
    """None: as long as somebody waits who trades."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for one answer.

        Raises:
            OperationalError: it did not come in time; the connection is of no use any more.
        """
        limit_s = self.limit_s or ANSWER_S
        late = psycopg.OperationalError(f"the server gave no answer in {limit_s:g} s")
        try:
            return super().wait(until(gen, limit_s, late), interval, timeout)
        except psycopg.OperationalError as error:
            if error is late:
                self.pgconn.finish()
            raise


class _Adapter(Psycopg3Adapter):
    """Peewee's own, which it leaves unfinished where it was imported without psycopg."""

    txn_idle = TransactionStatus.IDLE
    txn_inerror = TransactionStatus.INERROR
    txn_unknown = TransactionStatus.UNKNOWN


class Database(PostgresqlDatabase):
    """What peewee's migrations and cold queries use; constant SQL goes by its connection."""

    psycopg2_adapter = psycopg3_adapter = _Adapter

    def __init__(self, name: str, parameters: Mapping[str, Any]) -> None:
        super().__init__(name, autoconnect=False, thread_safe=False)
        self._parameters = parameters

    def _connect(self) -> Any:
        return connect(**self._parameters)


def connect(**parameters: Any) -> PatientConnection:
    """Open one. Every statement is a transaction by itself, unless it is said otherwise."""
    connection = PatientConnection.connect(autocommit=True, **parameters)
    connection.prepare_threshold = 0
    return connection


def cursor_of(connection: psycopg.Connection[Any]) -> RawCursor[Any]:
    """Give the one cursor that constant SQL goes through, with values numbered ``$1``."""
    return RawCursor(connection)
