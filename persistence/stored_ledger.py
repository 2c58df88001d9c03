"""What every ledger that is stored does alike, whatever it is stored in.

It speaks constant SQL in SQLite's words (`persistence.statements`); how one connection runs it,
and what makes many statements one transaction, is all that a backend adds.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby, islice
from operator import itemgetter

from messages.errors import LedgerConflict
from messages.ids import ClientOrderId, OrderKey, StrategyId, StrategySymbol, Symbol
from messages.orders import Fill
from messages.stops import Stop
from messages.values import OrderState
from persistence import statements as sql
from persistence.book import Book
from persistence.entries import (
    NO_NOTES,
    NO_STOPS,
    Claim,
    LedgerEntry,
    Step,
    claimed_entry,
    conflict,
)
from persistence.many_rows import Statement, together
from persistence.stop_rows import PUT_STOP, SELECT_ALL, SELECT_KEPT, stop_in, stop_row
from persistence.transitions import Folded, fold

_HALT = "halt"
_NOTE = "note:"
_PAGE = 1_000

Write = tuple[str, sql.Row]
"""A constant statement and its parameters."""


class StoredLedger(ABC):
    """See `persistence.ledger.Ledger`. A backend opens itself, then calls `_load`."""

    def __init__(self) -> None:
        self._book = Book()
        self._newest = OrderKey("")

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
        if len(claims) == 1 and not (steps or notes or stops):
            self._claim_alone(claims[0], now_ns)
            return []
        known = self.lookup([step.order_key for step in steps]) if steps else {}
        folded = fold(known, steps)
        entries = [claimed_entry(claim, now_ns) for claim in claims]
        if not (entries or folded.taken or notes or stops):
            return folded.after
        filled = self._book.filled_after(folded.taken)
        # Before the commit, for one that fails may all the same have reached the disk.
        self._newest = max([self._newest, *(entry.order_key for entry in entries)])
        put_stops = [(PUT_STOP, stop_row(stop)) for stop in stops]
        self._commit_with(
            [*_writes(folded, filled, entries), *_set_notes(notes), *put_stops], claims
        )
        self._book.update(known, folded.changed, filled)
        self._book.claim(entries)
        return folded.after

    def _claim_alone(self, claim: Claim, now_ns: int) -> None:
        """Do what `write` does for a lone order, which is the one that somebody waits for."""
        entry = claimed_entry(claim, now_ns)
        self._newest = max(self._newest, entry.order_key)
        self._commit_with([(sql.INSERT_ORDER, sql.order_row(entry))], (claim,))
        self._book.claim((entry,))

    def _commit_with(self, writes: Sequence[Write], claims: Sequence[Claim]) -> None:
        try:
            self._commit(writes)
        except LedgerConflict as error:
            stored = self.lookup([claim.intent.order_key for claim in claims])
            raise (conflict(claims, stored) or error) from error.__cause__

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

    def executed(self) -> Iterator[tuple[LedgerEntry, list[Fill]]]:
        """See `Ledger.executed`. Asks once for the executions of a page of orders, not of each."""
        filled = (entry for entry in self.entries() if entry.filled_quantity)
        while page := list(islice(filled, _PAGE)):
            ends = (page[0].order_key, page[-1].order_key)
            rows = self._rows(sql.SELECT_FILLS_BETWEEN, ends)
            known = {
                key: sql.fills_in(row[1:] for row in of_one)
                for key, of_one in groupby(rows, key=itemgetter(0))
            }
            yield from ((entry, known.get(entry.order_key, [])) for entry in page)

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

    def fitted(self) -> list[tuple[StrategyId, Symbol, str]]:
        """See `Ledger.fitted`."""
        return [(row[0], row[1], row[2]) for row in self._rows(sql.SELECT_FITTED)]

    def halt_reason(self) -> str | None:
        """See `Ledger.halt_reason`. Asks the disk each time."""
        rows = self._rows(sql.SELECT_FLAG, (_HALT,))
        return str(rows[0][0]) if rows else None

    def set_halt(self, reason: str) -> None:
        """See `Ledger.set_halt`."""
        self._commit([(sql.SET_FLAG, (_HALT, reason))])

    def clear_halt(self, notes: Mapping[str, str] = NO_NOTES) -> None:
        """See `Ledger.clear_halt`."""
        self._commit([(sql.DELETE_FLAG, (_HALT,)), *_set_notes(notes)])

    def _load(self) -> None:
        positions = self._rows(sql.SELECT_POSITIONS)
        filled = {(strategy, symbol): Decimal(text) for strategy, symbol, text in positions}
        self._book.load(filled, self._select(sql.SELECT_OPEN, ()))
        newest = self._rows(sql.SELECT_NEWEST)
        if newest:
            self._newest = OrderKey(newest[0][0])

    def _select(self, statement: str, parameters: Sequence[object]) -> list[LedgerEntry]:
        return [sql.entry_of(row) for row in self._rows(statement, parameters)]

    # ------------------------------------------------------------ what a backend adds

    @abstractmethod
    def answers(self) -> bool:
        """See `Ledger.answers`."""

    def taken_away(self) -> str:
        """See `Ledger.taken_away`."""
        return ""

    @abstractmethod
    def entries(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """See `Ledger.entries`."""

    @abstractmethod
    def _rows(self, statement: str, parameters: Sequence[object] = ()) -> list[sql.Row]:
        """Run one SELECT."""

    @abstractmethod
    def _commit(self, writes: Sequence[Write]) -> None:
        """Run all of it as one transaction, durable when it returns."""


def statements_of(writes: Sequence[Write]) -> list[Statement]:
    """Give the fewest statements that write these rows in their order."""
    if len(writes) == 1:
        return list(writes)
    return [
        one
        for statement, run in groupby(writes, key=itemgetter(0))
        for one in together(statement, [row for _, row in run])
    ]


def _set_notes(notes: Mapping[str, str]) -> list[Write]:
    return [(sql.SET_FLAG, (_NOTE + name, text)) for name, text in notes.items()]


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
