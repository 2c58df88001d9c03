"""The orders that are not final, as the executor follows them between two commits."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from actors.order_records import ahead_of, step_from
from decisions.executor import steps_to
from messages.ids import ClientOrderId, OrderKey, Symbol, TradeId
from messages.order_states import FINAL_STATES
from messages.orders import Fill, OrderReport
from persistence.ledger import LedgerEntry, Step


class Move(msgspec.Struct, frozen=True):
    """A step that an order is about to take."""

    step: Step
    before: LedgerEntry
    after: LedgerEntry
    """As far as it can be told ahead of the commit: state and filled quantity."""
    fills: tuple[Fill, ...]


class OpenOrders:
    """By client order id, with those whose outcome is being asked for. One thread's."""

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        self._by_client_id = {entry.client_order_id: entry for entry in entries}
        self.unsettled: dict[OrderKey, ClientOrderId] = {
            entry.order_key: entry.client_order_id for entry in self._by_client_id.values()
        }
        self._seen_trades: dict[OrderKey, set[TradeId]] = {}
        self.sends: Counter[OrderKey] = Counter()
        """How often each order was sent by this incarnation."""
        self.asked: dict[OrderKey, int] = {}
        """How often it had been when the question was asked that is under way for it."""

    def being_asked_for(self) -> list[LedgerEntry]:
        """Give the orders whose outcome is not known."""
        found = (self._by_client_id.get(one) for one in self.unsettled.values())
        return [entry for entry in found if entry is not None]

    def asked_for(self, key: OrderKey) -> LedgerEntry | None:
        """Give one of them."""
        client_order_id = self.unsettled.get(key)
        return None if client_order_id is None else self._by_client_id.get(client_order_id)

    def follow(self, entry: LedgerEntry) -> None:
        """Take over what the ledger says of an order now."""
        if entry.state in FINAL_STATES:
            self._by_client_id.pop(entry.client_order_id, None)
            self.unsettled.pop(entry.order_key, None)
            self.sends.pop(entry.order_key, None)
            self._seen_trades.pop(entry.order_key, None)
        else:
            self._by_client_id[entry.client_order_id] = entry

    def new_fills(self, key: OrderKey, fills: Iterable[Fill]) -> list[Fill]:
        """Give the executions of an order that were not given before: a lookup tells of all."""
        seen = self._seen_trades.setdefault(key, set())
        fresh = {fill.trade_id: fill for fill in fills if fill.trade_id not in seen}
        seen.update(fresh)
        return list(fresh.values())

    def moves(self, reports: Sequence[OrderReport], at_ns: int) -> list[Move]:
        """Give the steps that reports make orders take, each report judged after the last.

        Reports of unknown or final orders, and those that say nothing new, give none.
        """
        moves = []
        for report in reports:
            entry = self._by_client_id.get(report.client_order_id)
            for to in () if entry is None else steps_to(entry, report):
                assert entry is not None
                moves.append(self.ahead(entry, step_from(entry, to, report, at_ns)))
                entry = moves[-1].after
        return moves

    def ahead(self, entry: LedgerEntry, step: Step) -> Move:
        """Count on a step that is about to be committed."""
        after = ahead_of(entry, step)
        self._by_client_id[entry.client_order_id] = after
        return Move(step, entry, after, step.fills)

    def unsettled_symbols(self) -> set[Symbol]:
        """Give the symbols with an order whose outcome is not known."""
        return {entry.symbol for entry in self.being_asked_for()}
