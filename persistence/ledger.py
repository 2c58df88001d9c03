"""The ledger: what is claimed here, and only that, may be sent to a venue.

A method that changes something has it on disk when it returns. When it raises, nothing was
promised, nothing of it is visible, and the ledger can be used again once the cause is gone.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Protocol

from messages.errors import LedgerConflict
from messages.ids import ClientOrderId, OrderKey, StrategyId, Symbol
from messages.orders import Fill
from messages.stops import Stop
from messages.values import OrderState
from persistence import statements as sql
from persistence.book import Book, StrategySymbol
from persistence.database import connection_of, ledger_errors, open_ledger_database
from persistence.entries import (
    NO_NOTES,
    NO_STOPS,
    Claim,
    LedgerEntry,
    Step,
    claimed_entry,
    conflict,
    fingerprint,
)
from persistence.fence import check_writer, fence, take_writing
from persistence.many_rows import together
from persistence.reading import read_events, read_fills, read_orders
from persistence.stop_rows import PUT_STOP, SELECT_ALL, SELECT_KEPT, stop_in, stop_row
from persistence.transitions import Event, Folded, fold

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

_HALT = "halt"
_NOTE = "note:"

Write = tuple[str, sql.Row]
"""A constant statement and its parameters."""


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

    def tidy(self) -> None:
        """Do now what would otherwise hold up a later write; for a moment with nothing to do."""

    def close(self) -> None:
        """Give the file back; a closed ledger raises LedgerUnavailable. Safe to repeat."""


class SqliteLedger:
    """The ledger in one SQLite file, which this process alone writes.

    `writer` is what `take_writing` gave: then what another process does about it is noticed in
    the very statement that writes. None where the lock of the run directory is enough.

    Raises:
        LedgerFenced: another process has taken it over; so does every method that writes.
    """

    def __init__(self, path: Path, writer: int | None = None) -> None:
        self._path = path
        self._writer = writer
        self._database = open_ledger_database(path)
        self._book = Book()
        self._newest = OrderKey("")
        try:
            if writer is not None:
                with ledger_errors(path):
                    fence(self._database, writer)
            self._load()
        except BaseException:
            self._database.close()
            raise

    def lookup(self, keys: Sequence[OrderKey]) -> dict[OrderKey, LedgerEntry]:
        """See `Ledger.lookup`.

        Open orders are answered from memory, and so is a decision younger than all others,
        which most are: keys begin with the time.
        """
        found = {key: self._book.open[key] for key in keys if key in self._book.open}
        newest = self._newest
        unseen = [key for key in dict.fromkeys(keys) if key not in found and key <= newest]
        for chunk in sql.chunks(unseen):
            found |= sql.by_key(self._select(sql.select_keys(len(chunk)), chunk))
        return found

    def claim(self, claims: Sequence[Claim], now_ns: int) -> None:
        """See `Ledger.claim`."""
        self.write((), claims, now_ns)

    def record(self, steps: Sequence[Step]) -> list[LedgerEntry]:
        """See `Ledger.record`."""
        return self.write(steps, (), 0)

    def write(
        self,
        steps: Sequence[Step],
        claims: Sequence[Claim],
        now_ns: int,
        notes: Mapping[str, str] = NO_NOTES,
        stops: Sequence[Stop] = NO_STOPS,
    ) -> list[LedgerEntry]:
        """See `Ledger.write`. One transaction, one flush; none if nothing changes."""
        known = self.lookup([step.order_key for step in steps]) if steps else {}
        folded = fold(known, steps)
        entries = [claimed_entry(claim, now_ns) for claim in claims]
        if not (entries or folded.taken or notes or stops):
            return folded.after
        filled = self._book.filled_after(folded.taken)
        # Before the commit, for one that fails may all the same have reached the disk.
        self._newest = max([self._newest, *(entry.order_key for entry in entries)])
        try:
            set_notes = [(sql.SET_FLAG, (_NOTE + name, text)) for name, text in notes.items()]
            put_stops = [(PUT_STOP, stop_row(stop)) for stop in stops]
            self._commit([*_writes(folded, filled, entries), *set_notes, *put_stops])
        except LedgerConflict as error:
            stored = self.lookup([entry.order_key for entry in entries])
            raise (conflict(claims, stored) or error) from error.__cause__
        self._book.update(known, folded.changed, filled)
        self._book.claim(entries)
        return folded.after

    def stops(self, *, done_too: bool = False) -> list[Stop]:
        """See `Ledger.stops`."""
        return [stop_in(row) for row in self._rows(SELECT_ALL if done_too else SELECT_KEPT)]

    def note(self, name: str) -> str | None:
        """See `Ledger.note`."""
        rows = self._rows(sql.SELECT_FLAG, (_NOTE + name,))
        return str(rows[0][0]) if rows else None

    def fills_of(self, key: OrderKey) -> list[Fill]:
        """See `Ledger.fills_of`."""
        return sql.fills_in(self._rows(sql.SELECT_FILLS, (key,)))

    def called(self, names: Collection[ClientOrderId]) -> dict[ClientOrderId, LedgerEntry]:
        """See `Ledger.called`."""
        found: list[LedgerEntry] = []
        for chunk in sql.chunks([*names]):
            found += self._select(sql.select_called(len(chunk)), chunk)
        return {entry.client_order_id: entry for entry in found}

    def open_entries(self) -> list[LedgerEntry]:
        """See `Ledger.open_entries`."""
        return sorted(self._book.open.values(), key=_by_key)

    def lacking(self, newest: int) -> list[LedgerEntry]:
        """See `Ledger.lacking`."""
        return self._select(sql.SELECT_LACKING, (newest,))

    def entries(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """See `Ledger.entries`. Uses a read-only connection of its own."""
        return read_orders(self._path, since_ns)

    def states(self) -> dict[OrderState, int]:
        """See `Ledger.states`."""
        ended = {OrderState(state): orders for state, orders in self._rows(sql.SELECT_ENDED)}
        return ended | Counter(entry.state for entry in self._book.open.values())

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
        self._commit([(sql.SET_FLAG, (_HALT, reason))])

    def clear_halt(self) -> None:
        """See `Ledger.clear_halt`."""
        self._commit([(sql.DELETE_FLAG, (_HALT,))])

    def tidy(self) -> None:
        """See `Ledger.tidy`. Copies the write-ahead log into the file; nobody is waited for."""
        with ledger_errors(self._path):
            if self._writer is not None:  # two that checkpoint at once: see the doctor on SQLite
                check_writer(self._database, self._writer)
            connection_of(self._database).execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """See `Ledger.close`."""
        with ledger_errors(self._path):
            self._database.close()

    def _load(self) -> None:
        positions = self._rows(sql.SELECT_POSITIONS)
        filled = {(strategy, symbol): Decimal(text) for strategy, symbol, text in positions}
        self._book.load(filled, self._select(sql.SELECT_OPEN, ()))
        newest = self._rows(sql.SELECT_NEWEST)
        if newest:
            self._newest = OrderKey(newest[0][0])

    def _select(self, statement: str, parameters: Sequence[object]) -> list[LedgerEntry]:
        return [sql.entry_of(row) for row in self._rows(statement, parameters)]

    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[sql.Row]:
        with ledger_errors(self._path):
            return connection_of(self._database).execute(statement, parameters).fetchall()

    def _commit(self, writes: Sequence[Write]) -> None:
        """Run all of it as one transaction; one statement alone is one by itself."""
        statements = [
            one
            for statement, run in groupby(writes, key=itemgetter(0))
            for one in together(statement, [row for _, row in run])
        ]
        with ledger_errors(self._path):
            if len(statements) == 1:
                connection_of(self._database).execute(*statements[0])
                return
            with self._database.transaction("IMMEDIATE"):
                connection = connection_of(self._database)
                for statement, values in statements:
                    connection.execute(statement, values)


def _writes(
    folded: Folded, filled: Mapping[StrategySymbol, Decimal], claimed: Sequence[LedgerEntry]
) -> list[Write]:
    """Give the statements of a batch; a total goes with the last step that touches it."""
    left = dict(filled)
    steps: list[Write] = []
    fills: list[Write] = []
    for taken in reversed(folded.taken):
        total = left.pop((taken.after.strategy_id, taken.after.symbol), None)
        steps.append((sql.TAKE_STEP, sql.step_row(taken, total)))
        fills.extend((sql.INSERT_FILL, row) for row in sql.more_fill_rows(taken))
    claims = [(sql.INSERT_ORDER, sql.order_row(entry)) for entry in claimed]
    return [*reversed(steps), *reversed(fills), *claims]


def _by_key(entry: LedgerEntry) -> OrderKey:
    return entry.order_key
