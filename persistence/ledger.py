"""The ledger: what is claimed here, and only that, may be sent to a venue.

A method that changes something has it on disk when it returns. When it raises, nothing was
promised, and the ledger can be used again once the cause is gone. After a failed flush the change
may yet turn up when the file is next recovered: a lookup settles it.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from messages.ids import ClientOrderId, OrderKey, StrategyId, Symbol
from messages.orders import Fill
from messages.stops import Stop
from messages.values import OrderState
from persistence.database import (
    connection_of,
    is_locked,
    ledger_errors,
    open_ledger_database,
)
from persistence.entries import NO_NOTES, NO_STOPS, Claim, LedgerEntry, Step, fingerprint
from persistence.fence import check_writer, fence, take_writing
from persistence.log_room import log_of, make_room
from persistence.open_files import OpenFiles
from persistence.reading import read_events, read_fills, read_orders
from persistence.statements import Row
from persistence.stored_ledger import StoredLedger, Write, statements_of
from persistence.transitions import Event

__all__ = [
    "Claim",
    "Event",
    "Ledger",
    "LedgerEntry",
    "SqliteLedger",
    "Step",
    "fingerprint",
    "read_events",
    "read_fills",
    "read_orders",
    "take_writing",
]


class Ledger(Protocol):
    """What the Executor needs of a ledger. Used from one thread: the one that opened it."""

    def lookup(self, keys: Sequence[OrderKey]) -> dict[OrderKey, LedgerEntry]:
        """Give the orders that are known; a key that is missing was never claimed."""

    def write(
        self,
        steps: Sequence[Step],
        claims: Sequence[Claim],
        now_ns: int,
        notes: Mapping[str, str] = NO_NOTES,
        stops: Sequence[Stop] = NO_STOPS,
    ) -> list[LedgerEntry]:
        """Make steps and new decisions durable, all or none, with one flush to disk.

        A claim becomes CLAIMED, or REFUSED or SENT where it says so. A report that is stale
        or says nothing new leaves its order as it is; executions it brings are kept, each
        trade id once. An order may not be claimed and take a step in one call. `notes` replace
        what stood under their names, `stops` those of their entries.

        Returns:
            For each step, its order as it is after it.

        Raises:
            IllegalTransition: an order may not take its step.
            LedgerConflict: a key is there already; the text says whether with this intent.
            LedgerUnavailable: not durable; none of these may be sent.
        """

    def claim(self, claims: Sequence[Claim], now_ns: int) -> None:
        """Write new decisions only. See `write`."""

    def record(self, steps: Sequence[Step]) -> list[LedgerEntry]:
        """Write steps only. See `write`."""

    def stops(self, *, done_too: bool = False) -> list[Stop]:
        """Give the stops that are not done, or all there were, by their entries' keys."""

    def note(self, name: str) -> str | None:
        """Give what was last noted under a name. Asks the disk each time."""

    def fills_of(self, key: OrderKey) -> list[Fill]:
        """Give the executions of one order that are known."""

    def called(self, names: Collection[ClientOrderId]) -> dict[ClientOrderId, LedgerEntry]:
        """Give the orders with these client order ids. Cold: reads all that there are."""

    def open_entries(self) -> list[LedgerEntry]:
        """Give the orders that are not final, by key."""

    def lacking(self, newest: int) -> list[LedgerEntry]:
        """Give those of the newest orders that ended with more filled than their executions say."""

    def entries(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """Walk the orders decided at or after a moment, by key. Cold: costs a file open."""

    def executed(self) -> Iterator[tuple[LedgerEntry, list[Fill]]]:
        """Walk the orders with something filled, by key, with what is known of that. Cold."""

    def states(self) -> dict[OrderState, int]:
        """Count orders by state; a state without orders is left out."""

    def decided_since(self, symbol: Symbol, ts_ns: int) -> list[int]:
        """Give when the orders that were not refused were decided, oldest first."""

    def exposure(self) -> dict[Symbol, Decimal]:
        """Give the signed quantity that is filled or may yet be; zero is left out."""

    def strategy_exposure(self) -> dict[tuple[StrategyId, Symbol], Decimal]:
        """Give the same for each strategy."""

    def fitted(self) -> list[tuple[StrategyId, Symbol, str]]:
        """Give whose exits, filled or open, were made smaller, of what and why. Cold."""

    def halt_reason(self) -> str | None:
        """Say why trading is halted; None when it is not."""

    def set_halt(self, reason: str) -> None:
        """Halt trading, durably; a later reason replaces an earlier one."""

    def clear_halt(self, notes: Mapping[str, str] = NO_NOTES) -> None:
        """End the halt, durably, and write the notes in the same transaction."""

    def tidy(self) -> None:
        """Do now what would otherwise hold up a later write; for a moment with nothing to do."""

    def answers(self) -> bool:
        """Whether it can be written, once it was lost; see `messages.errors.LedgerLost`.

        Raises:
            LedgerFenced: another process has taken it over meanwhile.
        """

    def taken_away(self) -> str:
        """Say that what is written is not where the next process looks; empty while it is."""

    def close(self) -> None:
        """Give the file back; a closed ledger raises LedgerUnavailable. Safe to repeat."""


class SqliteLedger(StoredLedger):
    """The ledger in one SQLite file, which this process alone writes.

    `writer` is what `take_writing` gave: then what another process does about it is noticed in
    the very statement that writes. None where the lock of the run directory is enough. `utc_ns`
    is the clock by which a file is made or upgraded.

    Raises:
        LedgerFenced: another process has taken it over; so does every method that writes.
    """

    def __init__(
        self,
        path: Path,
        writer: int | None = None,
        *,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = path
        self._writer = writer
        super().__init__()
        self._database = open_ledger_database(path, utc_ns)
        try:
            if writer is not None:
                with ledger_errors(path):
                    fence(self._database, writer)
            self._load()
        except BaseException:
            self._database.close()
            raise
        self._files = OpenFiles(path, log_of(path))

    def entries(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """See `Ledger.entries`. Uses a read-only connection of its own."""
        return read_orders(self._path, since_ns)

    def tidy(self) -> None:
        """See `Ledger.tidy`. Copies the write-ahead log into the file; nobody is waited for.

        Before that the log gets the length that it will need, which the copy flushes.
        """
        with ledger_errors(self._path):
            if self._writer is not None:  # two that checkpoint at once: see the doctor on SQLite
                check_writer(self._database, self._writer)
            connection = connection_of(self._database)
            with suppress(OSError, sqlite3.OperationalError):  # it can do without
                make_room(connection, log_of(self._path))
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def answers(self) -> bool:
        """See `Ledger.answers`. Asks for the lock that each commit needs, and gives it back."""
        connection = connection_of(self._database)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            return not is_locked(error)
        return True

    def taken_away(self) -> str:
        """See `Ledger.taken_away`. Two questions to the file system."""
        return self._files.taken_away()

    def close(self) -> None:
        """See `Ledger.close`."""
        with ledger_errors(self._path):
            self._database.close()

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        with ledger_errors(self._path):
            return connection_of(self._database).execute(statement, parameters).fetchall()

    def _commit(self, writes: Sequence[Write]) -> None:
        """Run all of it as one transaction; one statement alone is one by itself."""
        statements = statements_of(writes)
        with ledger_errors(self._path):
            if len(statements) == 1:
                connection_of(self._database).execute(*statements[0])
                return
            with self._database.transaction("IMMEDIATE"):
                connection = connection_of(self._database)
                for statement, values in statements:
                    connection.execute(statement, values)
