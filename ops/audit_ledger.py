"""Holds a ledger against itself: each order against its history, the sums against the orders."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from decisions.audit import (
    StoredStep,
    Totals,
    differences,
    fills_problem,
    history_problem,
    key_problem,
)
from decisions.order_keys import client_order_id
from exchanges.capabilities import CAPABILITIES
from messages.ids import OrderKey, TimestampNs
from messages.order_states import FINAL_STATES, OPEN_STATES
from messages.orders import OrderIntent
from messages.values import OrderState
from ops.audit_check import Check
from ops.audit_stops import StopAudit
from ops.audit_venue import VenueAudit
from persistence.entries import LedgerEntry, fingerprint
from persistence.histories import Page, StepRow, open_keys, read_page
from persistence.reader import LedgerReader


class LedgerAudit:
    """One walk over a ledger. `venue` is told of every order, where there is a venue's book.

    What an order that is not final comes to is taken at the end, together with the sums and
    with the newest orders: so the sums can be held against a ledger that is being written.
    """

    def __init__(self, ledger: LedgerReader, venue: VenueAudit | None) -> None:
        self._ledger, self._venue = ledger, venue
        self._moving: list[OrderKey] = []
        self.totals = Totals()
        self.rows = Check("rows", "every row can be read and belongs to an order")
        self.history = Check("history", "each order's steps are legal and end in its state")
        self.fills = Check("fills", "what is filled, and its mean price, is what was executed")
        self.names = Check("names", "fingerprint, key and client order id are the decision's")
        self.positions = Check("positions", "the kept positions are what the orders make")
        self.counts = Check("state_counts", "the kept counts are those of the orders")
        self.index = Check("orders_open", "the index of the open orders holds these and no other")
        self._stops = StopAudit(ledger)

    def checks(self) -> Iterator[Check]:
        """Give all of them."""
        yield from (self.rows, self.history, self.fills, self.names)
        yield from (self.positions, self.counts, self.index, self._stops.stops)

    @property
    def sums_agree(self) -> bool:
        """Whether nothing differs that a late order could explain."""
        return not (self.positions.differ or self.counts.differ or self.index.differ)

    def run(self) -> None:
        """Walk.

        Raises:
            LedgerUnavailable: the file cannot be read to its end.
        """
        after = OrderKey("")
        while not (page := read_page(self._ledger, after)).is_last:
            self._take(page, is_end=False)
            after = page.last
        with self._ledger.one_moment():
            is_last = False
            while not is_last:
                page = read_page(self._ledger, after)
                self._take(page, is_end=True)
                after, is_last = page.last, page.is_last
            for entry in self._ledger.lookup(self._moving).values():
                self._add(entry)
            self._sums()
            self._stops.run(self.totals.filled)

    # ------------------------------------------------------------ each order

    def _take(self, page: Page, *, is_end: bool) -> None:
        for key, problem in page.unreadable:
            self.rows.differs(f"{key}: {problem}")
        for key in page.orphans:
            self.rows.differs(f"{key}: has a history or executions, and is no order")
        for entry in page.entries:
            self.rows.checked += 1
            self._order(entry, page)
            if is_end or entry.state in FINAL_STATES:
                self._add(entry)
            else:
                self._moving.append(entry.order_key)
        self._stops.explain(page.entries)
        if self._venue is not None:
            self._venue.compare(page.entries)

    def _add(self, entry: LedgerEntry) -> None:
        self.totals.add(entry)
        self._stops.add(entry)

    def _order(self, entry: LedgerEntry, page: Page) -> None:
        key, fills = entry.order_key, page.fills.get(entry.order_key, [])
        self.history.see(key, _history_problem(page.steps.get(key, []), entry.state))
        is_paper = self._venue is not None
        self.fills.see(key, fills_problem(entry, fills, all_known=is_paper))
        self.names.see(key, _names_problem(entry))

    # ------------------------------------------------------------ the sums

    def _sums(self) -> None:
        kept = {}
        for place, text in self._ledger.positions().items():
            try:
                kept[place] = Decimal(text)
            except InvalidOperation:
                self.positions.differs(f"{' '.join(place)}: {text!r} is no number")
        self.positions.checked = len({*kept, *self.totals.filled})
        for place, problem in differences(kept, self.totals.filled):
            self.positions.differs(f"{' '.join(place)}: {problem}")
        self._count()
        self._hold_index()

    def _count(self) -> None:
        kept = self._ledger.ended()
        for word in sorted({*kept, *(state.value for state in FINAL_STATES)}):
            state = OrderState(word) if word in FINAL_STATES else None
            is_there = 0 if state is None else self.totals.states[state]
            was = kept.get(word, 0)
            problem = None if was == is_there else f"{was} are counted, {is_there} are there"
            self.counts.see(word, problem)

    def _hold_index(self) -> None:
        listed = open_keys(self._ledger)
        self.index.checked = len(listed)
        is_open = sum(self.totals.states[state] for state in OPEN_STATES)
        found = self._ledger.lookup(sorted(listed))
        for key in sorted(listed):
            entry = found.get(key)
            if entry is None or entry.state in FINAL_STATES:
                self.index.differs(f"{key}: is listed as open, and is not")
        if len(listed) != is_open and not self.index.differ:
            self.index.differs(f"{len(listed)} orders are listed, {is_open} are open")


def _history_problem(rows: list[StepRow], state: OrderState) -> str | None:
    try:
        steps = [StoredStep(n, OrderState(f) if f else None, OrderState(t)) for n, f, t in rows]
    except ValueError as error:
        return f"its history cannot be read: {error}"
    return history_problem(steps, state)


def _names_problem(entry: LedgerEntry) -> str | None:
    if fingerprint(_intent(entry)) != entry.fingerprint:
        return "its fingerprint is that of another decision"
    if entry.decided_quantity is not None and entry.decided_quantity <= entry.quantity:
        return f"{entry.quantity} were sent of a decision of only {entry.decided_quantity}"
    key, name = entry.order_key, entry.client_order_id
    if name != client_order_id(key) and name not in _venue_names(key):
        return f"its client order id {name} is not made of its key"
    return key_problem(entry)


def _venue_names(key: OrderKey) -> set[str]:
    """Give the ids that a key has at exchanges with an alphabet or a length of their own."""
    shapes = {(r.id_prefix, r.id_length_max, r.id_alphabet) for r in CAPABILITIES.values()}
    return {client_order_id(key, *shape) for shape in shapes}


_NOT_IN_THE_LEDGER = {"ts_created_ns", "leaves", "protection", "replaces"}


def _intent(entry: LedgerEntry) -> OrderIntent:
    fields: dict[str, Any] = {
        name: getattr(entry, name)
        for name in OrderIntent.__struct_fields__
        if name not in _NOT_IN_THE_LEDGER
    }
    if entry.decided_quantity is not None:
        fields["quantity"] = entry.decided_quantity
    return OrderIntent(ts_created_ns=TimestampNs(0), **fields)
