"""A ledger that forgets: for tests and simulation. It promises nothing about a crash."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from messages.errors import LedgerUnavailable
from messages.ids import ClientOrderId, OrderKey, StrategyId, Symbol, TradeId
from messages.order_states import FINAL_STATES, OPEN_STATES
from messages.orders import Fill
from messages.stops import Stop, StopState
from messages.values import OrderState
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
from persistence.transitions import Event, claim_events, fold


class MemoryLedger:
    """The ledger in dictionaries; `events` and `fills` stay open for inspection."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.fills: dict[tuple[OrderKey, TradeId], Fill] = {}
        self._entries: dict[OrderKey, LedgerEntry] = {}
        self._book = Book()
        self._halt: str | None = None
        self._notes: dict[str, str] = {}
        self._stops: dict[OrderKey, Stop] = {}
        self._closed = False

    def lookup(self, keys: Sequence[OrderKey]) -> dict[OrderKey, LedgerEntry]:
        """See `Ledger.lookup`."""
        self._check_open()
        return {key: self._entries[key] for key in keys if key in self._entries}

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
        """See `Ledger.write`."""
        known = self.lookup([step.order_key for step in steps])
        folded = fold(known, steps)
        if problem := conflict(claims, self.lookup([c.intent.order_key for c in claims])):
            raise problem
        entries = [claimed_entry(claim, now_ns) for claim in claims]
        self._entries |= {entry.order_key: entry for entry in entries}
        self.events.extend(event for entry in entries for event in claim_events(entry))
        self._book.claim(entries)
        filled = self._book.filled_after(folded.taken)
        self._entries |= folded.changed
        for taken in folded.taken:
            self.events.extend([taken.event] if taken.event else ())
            for fill in taken.fills:
                key = taken.after.order_key
                self.fills.setdefault((key, fill.trade_id), fill)
        self._notes |= notes
        self._stops |= {stop.entry_key: stop for stop in stops}
        self._book.update(known, folded.changed, filled)
        return folded.after

    def stops(self, *, done_too: bool = False) -> list[Stop]:
        """See `Ledger.stops`."""
        self._check_open()
        found = [self._stops[key] for key in sorted(self._stops)]
        return [stop for stop in found if done_too or stop.state is not StopState.DONE]

    def note(self, name: str) -> str | None:
        """See `Ledger.note`."""
        self._check_open()
        return self._notes.get(name)

    def fills_of(self, key: OrderKey) -> list[Fill]:
        """See `Ledger.fills_of`."""
        return [fill for (owner, _), fill in self.fills.items() if owner == key]

    def called(self, names: Collection[ClientOrderId]) -> dict[ClientOrderId, LedgerEntry]:
        """See `Ledger.called`."""
        return {e.client_order_id: e for e in self.entries() if e.client_order_id in names}

    def open_entries(self) -> list[LedgerEntry]:
        """See `Ledger.open_entries`."""
        return [entry for entry in self.entries() if entry.state not in FINAL_STATES]

    def lacking(self, newest: int) -> list[LedgerEntry]:
        """See `Ledger.lacking`."""
        return [
            entry
            for entry in list(self.entries())[-newest:]
            if entry.state in FINAL_STATES
            and entry.filled_quantity
            > sum(fill.quantity for fill in self.fills_of(entry.order_key))
        ]

    def entries(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """See `Ledger.entries`."""
        self._check_open()
        ordered = [self._entries[key] for key in sorted(self._entries)]
        return iter([entry for entry in ordered if entry.decided_at_ns >= since_ns])

    def executed(self) -> Iterator[tuple[LedgerEntry, list[Fill]]]:
        """See `Ledger.executed`."""
        known: dict[OrderKey, list[Fill]] = {}
        for (key, _), fill in self.fills.items():
            known.setdefault(key, []).append(fill)
        filled = (entry for entry in self.entries() if entry.filled_quantity)
        return ((entry, known.get(entry.order_key, [])) for entry in filled)

    def states(self) -> dict[OrderState, int]:
        """See `Ledger.states`."""
        self._check_open()
        return dict(Counter(entry.state for entry in self._entries.values()))

    def decided_since(self, symbol: Symbol, ts_ns: int) -> list[int]:
        """See `Ledger.decided_since`."""
        return sorted(
            entry.decided_at_ns
            for entry in self.entries(ts_ns)
            if entry.symbol == symbol and entry.state is not OrderState.REFUSED
        )

    def exposure(self) -> dict[Symbol, Decimal]:
        """See `Ledger.exposure`."""
        return self._book.exposure()

    def strategy_exposure(self) -> dict[tuple[StrategyId, Symbol], Decimal]:
        """See `Ledger.strategy_exposure`."""
        return self._book.strategy_exposure()

    def fitted(self) -> list[tuple[StrategyId, Symbol, str]]:
        """See `Ledger.fitted`."""
        counts = {OrderState.FILLED, *OPEN_STATES}
        return [
            (entry.strategy_id, entry.symbol, entry.reason)
            for entry in self.entries()
            if entry.decided_quantity is not None and entry.state in counts
        ]

    def halt_reason(self) -> str | None:
        """See `Ledger.halt_reason`."""
        self._check_open()
        return self._halt

    def set_halt(self, reason: str) -> None:
        """See `Ledger.set_halt`."""
        self._check_open()
        self._halt = reason

    def clear_halt(self, notes: Mapping[str, str] = NO_NOTES) -> None:
        """See `Ledger.clear_halt`."""
        self._check_open()
        self._halt = None
        self._notes |= notes

    def tidy(self) -> None:
        """See `Ledger.tidy`."""

    def answers(self) -> bool:
        """See `Ledger.answers`."""
        return True

    def taken_away(self) -> str:
        """See `Ledger.taken_away`."""
        return ""

    def close(self) -> None:
        """See `Ledger.close`."""
        self._closed = True

    def reopened(self) -> "MemoryLedger":
        """Give the same ledger, usable again: what a file would be to the next to open it."""
        self._closed = False
        return self

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")
