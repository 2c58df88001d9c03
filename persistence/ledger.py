"""The ledger: what is claimed here, and only that, may be sent to a venue.

A method that changes something has it on disk when it returns. When it raises, nothing was
promised, nothing of it is visible, and the ledger can be used again once the cause is gone.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from messages.errors import LedgerConflict, LedgerUnavailable
from messages.ids import OrderKey, StrategyId, Symbol
from messages.values import OrderState
from persistence import statements as sql
from persistence.book import Book, moved_counts
from persistence.database import connection_of, ledger_errors, open_ledger_database
from persistence.entries import Claim, LedgerEntry, Step, claimed_entry, conflict, fingerprint
from persistence.reading import read_events, read_fills, read_orders
from persistence.transitions import Event, Folded, claim_event, fold

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
]

_HALT = "halt"


class Ledger(Protocol):
    """What the Executor needs of a ledger. Used from one thread: the one that opened it."""

    def lookup(self, keys: Sequence[OrderKey]) -> dict[OrderKey, LedgerEntry]:
        """Give the orders that are known; a key that is missing was never claimed."""

    def claim(self, claims: Sequence[Claim], now_ns: int) -> None:
        """Make decisions durable, all or none: CLAIMED, or REFUSED where a claim says so.

        Raises:
            LedgerConflict: a key is there already; the text says whether with this intent.
            LedgerUnavailable: not durable; none of these may be sent.
        """

    def record(self, steps: Sequence[Step]) -> list[LedgerEntry]:
        """Make steps durable, all or none, and give each one's order as it is after it.

        Reports that are stale or say nothing new leave the order as it is; executions
        they bring are kept, each trade id once.

        Raises:
            IllegalTransition: an order may not take its step.
            LedgerUnavailable: not durable.
        """

    def open_entries(self) -> list[LedgerEntry]:
        """Give the orders that are not final, by key."""

    def entries(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """Walk the orders decided at or after a moment, by key. Cold: costs a file open."""

    def states(self) -> dict[OrderState, int]:
        """Count orders by state; a state without orders is left out."""

    def decided_since(self, symbol: Symbol, ts_ns: int) -> list[int]:
        """Give when the orders that were not refused were decided, oldest first."""

    def exposure(self) -> dict[Symbol, Decimal]:
        """Give the signed quantity that is filled or may yet be; zero is left out."""

    def strategy_exposure(self) -> dict[tuple[StrategyId, Symbol], Decimal]:
        """Give the same for each strategy."""

    def halt_reason(self) -> str | None:
        """Say why trading is halted; None when it is not."""

    def set_halt(self, reason: str) -> None:
        """Halt trading, durably; a later reason replaces an earlier one."""

    def clear_halt(self) -> None:
        """End the halt, durably."""

    def close(self) -> None:
        """Give the file back; a closed ledger raises LedgerUnavailable. Safe to repeat."""


class SqliteLedger:
    """The ledger in one SQLite file, which this process alone writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = open_ledger_database(path)
        self._book = Book()
        try:
            self._load()
        except BaseException:
            self._database.close()
            raise

    def lookup(self, keys: Sequence[OrderKey]) -> dict[OrderKey, LedgerEntry]:
        """See `Ledger.lookup`. Open orders are answered from memory."""
        found = {key: self._book.open[key] for key in keys if key in self._book.open}
        unseen = [key for key in dict.fromkeys(keys) if key not in found]
        for chunk in sql.chunks(unseen):
            found |= sql.by_key(self._select(sql.select_keys(len(chunk)), chunk))
        return found

    def claim(self, claims: Sequence[Claim], now_ns: int) -> None:
        """See `Ledger.claim`. One transaction, one flush to disk."""
        entries = [claimed_entry(claim, now_ns) for claim in claims]
        counts = Counter(entry.state for entry in entries)
        if not entries:
            return
        try:
            with self._transaction() as connection:
                connection.executemany(sql.INSERT_ORDER, map(sql.order_row, entries))
                _insert_events(connection, map(claim_event, entries))
                _count(connection, counts)
        except LedgerConflict as error:
            stored = self.lookup([entry.order_key for entry in entries])
            raise (conflict(claims, stored) or error) from error.__cause__
        self._book.claim(entries)

    def record(self, steps: Sequence[Step]) -> list[LedgerEntry]:
        """See `Ledger.record`. One transaction, one flush; none if nothing changes."""
        known = self.lookup([step.order_key for step in steps])
        folded = fold(known, steps)
        if folded.changed or folded.fills:
            filled = self._book.filled_after(known, folded.changed)
            with self._transaction() as connection:
                self._move(connection, known, folded)
                _count(connection, moved_counts(known, folded.changed))
                connection.executemany(
                    sql.SET_POSITION,
                    [(*place, str(quantity)) for place, quantity in filled.items()],
                )
            self._book.update(known, folded.changed, filled)
        return folded.after

    def open_entries(self) -> list[LedgerEntry]:
        """See `Ledger.open_entries`."""
        return sorted(self._book.open.values(), key=_by_key)

    def entries(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """See `Ledger.entries`. Uses a read-only connection of its own."""
        return read_orders(self._path, since_ns)

    def states(self) -> dict[OrderState, int]:
        """See `Ledger.states`."""
        return {OrderState(state): orders for state, orders in self._rows(sql.SELECT_STATES)}

    def decided_since(self, symbol: Symbol, ts_ns: int) -> list[int]:
        """See `Ledger.decided_since`. Reads only the keys from that millisecond on."""
        rows = self._rows(sql.SELECT_DECIDED, (sql.key_floor(ts_ns), symbol, ts_ns))
        return sorted(decided_at_ns for (decided_at_ns,) in rows)

    def exposure(self) -> dict[Symbol, Decimal]:
        """See `Ledger.exposure`."""
        return self._book.exposure()

    def strategy_exposure(self) -> dict[tuple[StrategyId, Symbol], Decimal]:
        """See `Ledger.strategy_exposure`."""
        return self._book.strategy_exposure()

    def halt_reason(self) -> str | None:
        """See `Ledger.halt_reason`. Asks the disk each time."""
        rows = self._rows(sql.SELECT_FLAG, (_HALT,))
        return str(rows[0][0]) if rows else None

    def set_halt(self, reason: str) -> None:
        """See `Ledger.set_halt`."""
        with self._transaction() as connection:
            connection.execute(sql.SET_FLAG, (_HALT, reason))

    def clear_halt(self) -> None:
        """See `Ledger.clear_halt`."""
        with self._transaction() as connection:
            connection.execute(sql.DELETE_FLAG, (_HALT,))

    def close(self) -> None:
        """See `Ledger.close`."""
        with ledger_errors(self._path):
            self._database.close()

    def _load(self) -> None:
        positions = self._rows(sql.SELECT_POSITIONS)
        filled = {(strategy, symbol): Decimal(text) for strategy, symbol, text in positions}
        self._book.load(filled, self._select(sql.SELECT_OPEN, ()))

    def _select(self, statement: str, parameters: Sequence[object]) -> list[LedgerEntry]:
        return [sql.entry_of(row) for row in self._rows(statement, parameters)]

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[sql.Row]:
        with ledger_errors(self._path):
            return connection_of(self._database).execute(statement, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what happens inside, flushed to disk, or roll all of it back."""
        with ledger_errors(self._path), self._database.transaction("IMMEDIATE"):
            yield connection_of(self._database)

    def _move(
        self, connection: sqlite3.Connection, known: dict[OrderKey, LedgerEntry], folded: Folded
    ) -> None:
        moves = [sql.move_row(known[key], entry) for key, entry in folded.changed.items()]
        if moves and connection.executemany(sql.MOVE_ORDER, moves).rowcount != len(moves):
            raise LedgerUnavailable(f"another process writes {self._path}: stop one of the two")
        _insert_events(connection, folded.events)
        connection.executemany(sql.INSERT_FILL, [sql.fill_row(*fill) for fill in folded.fills])


def _insert_events(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    connection.executemany(sql.INSERT_EVENT, map(sql.event_row, events))


def _count(connection: sqlite3.Connection, counts: Counter[OrderState]) -> None:
    rows = [(state.value, count) for state, count in counts.items()]
    connection.executemany(sql.COUNT_STATE, rows)


def _by_key(entry: LedgerEntry) -> OrderKey:
    return entry.order_key
