"""The ledger on disk, which shows how long it takes and for whom it waits.

SQLite waits for a lock without a word. Here its own patience is off and the statement is tried
again by us, as long and in the same rhythm, so that each wait is counted.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from messages.errors import LedgerUnavailable
from persistence import statements as sql
from persistence.database import BUSY_MS, connection_of, is_locked, ledger_errors
from persistence.ledger import SqliteLedger
from persistence.stored_ledger import Write

_Answer = TypeVar("_Answer")
_PAUSES_MS = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100)
"""SQLite's own; the last one again and again."""


class Figures(Protocol):
    """Who is told; on the ledger's thread."""

    def committed(self, took_ns: int, claims: int) -> None:
        """One commit is durable."""

    def checkpointed(self, took_ns: int) -> None:
        """One checkpoint is done."""

    def waited(self) -> None:
        """One statement found the file locked."""

    def retried(self) -> None:
        """It is tried again."""


class MeasuredLedger(SqliteLedger):
    """See `SqliteLedger`. `now_ns` is the clock that durations are taken by."""

    def __init__(
        self,
        path: Path,
        writer: int | None = None,
        *,
        figures: Figures,
        now_ns: Callable[[], int] = time.perf_counter_ns,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._figures, self._now_ns = figures, now_ns  # first: opening reads, and may wait
        super().__init__(path, writer, utc_ns=utc_ns)
        with ledger_errors(path):
            connection_of(self._database).execute("PRAGMA busy_timeout = 0")

    def tidy(self) -> None:
        """See `Ledger.tidy`."""
        begun_ns = self._now_ns()
        self._patiently(super().tidy)
        self._figures.checkpointed(self._now_ns() - begun_ns)

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[sql.Row]:
        try:
            return super()._rows(statement, parameters)
        except LedgerUnavailable as error:
            if not _is_busy(error):
                raise
        rows = super()._rows
        return self._again(lambda: rows(statement, parameters))

    def _commit(self, writes: Sequence[Write]) -> None:
        begun_ns = self._now_ns()
        commit = super()._commit
        self._patiently(lambda: commit(writes))
        claims = sum(1 for statement, _ in writes if statement is sql.INSERT_ORDER)
        self._figures.committed(self._now_ns() - begun_ns, claims)

    def _patiently(self, act: Callable[[], _Answer]) -> _Answer:
        try:
            return act()
        except LedgerUnavailable as error:
            if not _is_busy(error):
                raise
        return self._again(act)

    def _again(self, act: Callable[[], _Answer]) -> _Answer:
        """Try until it goes or SQLite's own patience would have ended."""
        self._figures.waited()
        end = time.monotonic() + BUSY_MS / 1_000
        tries = 0
        while True:
            time.sleep(_PAUSES_MS[min(tries, len(_PAUSES_MS) - 1)] / 1_000)
            tries += 1
            self._figures.retried()
            try:
                return act()
            except LedgerUnavailable as error:
                if not _is_busy(error) or time.monotonic() >= end:
                    raise


def _is_busy(error: LedgerUnavailable) -> bool:
    cause = error.__cause__
    return is_locked(
        cause if isinstance(cause, sqlite3.Error) else getattr(cause, "__cause__", None)
    )
