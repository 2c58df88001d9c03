"""The orders that are not final, as the executor follows them between two commits."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import reduce

import msgspec

from actors.order_records import ahead_of, fills_step, step_from
from decisions.doubled import is_another
from decisions.executor import steps_to
from messages.exact import EXACT, NOTHING
from messages.ids import ClientOrderId, OrderKey, Symbol, TradeId
from messages.order_states import FINAL_STATES
from messages.orders import Fill, OrderReport
from messages.values import OrderState
from persistence.ledger import LedgerEntry, Step

ENDED_MAX = 1_000
"""So many orders that have ended are remembered for what the venue may say of them yet."""

LACKING_MAX = 1_000
"""How many ended orders are remembered for executions that have not been told of yet."""


class Move(msgspec.Struct, frozen=True, gc=False):
    """A step that an order is about to take."""

    step: Step
    before: LedgerEntry
    after: LedgerEntry
    """As far as it can be told ahead of the commit: state and filled quantity."""
    fills: tuple[Fill, ...]

    @property
    def is_late(self) -> bool:
        """Whether the order stays where it was, and only executions are new."""
        before, after = self.before, self.after
        return (before.state, before.filled_quantity) == (after.state, after.filled_quantity)


class OpenOrders:
    """By client order id, with those whose outcome is being asked for. One thread's."""

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        self._by_client_id = {entry.client_order_id: entry for entry in entries}
        self.unsettled: dict[OrderKey, ClientOrderId] = {
            entry.order_key: entry.client_order_id for entry in self._by_client_id.values()
        }
        self._fills: dict[OrderKey, dict[TradeId, Decimal]] = {}
        self._ahead: dict[OrderKey, dict[TradeId, Decimal]] = {}
        """Executions of moves that are not committed yet."""
        self._lacking: dict[OrderKey, ClientOrderId] = {}
        """Those that ended before all of their executions were told of, oldest first."""
        self._ended: dict[ClientOrderId, LedgerEntry] = {}
        self.on_final: Callable[[LedgerEntry, OrderReport], object] = lambda *_: None
        """Is told what the venue says of an order that has ended."""
        self.on_another: Callable[[LedgerEntry, OrderReport], object] = lambda *_: None
        """Is told of what bears the id of an order and is not the one that is followed."""
        self.sends: Counter[OrderKey] = Counter()
        """How often each order was sent by this incarnation."""
        self.asked: dict[OrderKey, int] = {}
        """How often each had been sent when the question under way for it was asked."""

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
        ended = entry.state in FINAL_STATES
        if ended and entry.client_order_id not in self._by_client_id:
            return  # forgotten with an earlier step of the same commit
        self._by_client_id[entry.client_order_id] = entry
        if ended:
            self.unsettled.pop(entry.order_key, None)
            self.sends.pop(entry.order_key, None)
            self._lacking[entry.order_key] = entry.client_order_id
            self._ended[entry.client_order_id] = entry
            if len(self._ended) > ENDED_MAX:
                del self._ended[next(iter(self._ended))]
            if not self._lacks(entry):
                self._forget(entry.order_key)
            elif len(self._lacking) > LACKING_MAX:
                self._forget(next(iter(self._lacking)))

    def lacking(self) -> list[LedgerEntry]:
        """Give the orders that ended before all of their executions were told of."""
        return [self._by_client_id[one] for one in self._lacking.values()]

    def take_lacking(self, entry: LedgerEntry, fills: Iterable[Fill]) -> None:
        """Follow such an order of an earlier process; `fills` are those that are known."""
        self._by_client_id[entry.client_order_id] = entry
        self._lacking[entry.order_key] = entry.client_order_id
        self.new_fills(entry.order_key, fills)

    def lacks_executions(self, key: OrderKey) -> LedgerEntry | None:
        """Give one of them."""
        client_order_id = self._lacking.get(key)
        return None if client_order_id is None else self._by_client_id[client_order_id]

    def _forget(self, key: OrderKey) -> None:
        self._by_client_id.pop(self._lacking.pop(key), None)
        self._fills.pop(key, None)

    def _lacks(self, entry: LedgerEntry) -> bool:
        """Whether more is filled than the executions that are known."""
        known = self._known(entry.order_key).values()
        return entry.filled_quantity > reduce(EXACT.add, known, NOTHING)

    def _known(self, key: OrderKey) -> dict[TradeId, Decimal]:
        """Give the executions that are known, and those that are about to be committed."""
        known, ahead = self._fills.get(key, {}), self._ahead.get(key)
        return {**known, **ahead} if ahead else known

    def new_fills(self, key: OrderKey, fills: Iterable[Fill]) -> list[Fill]:
        """Give the executions of an order that were not given before: a lookup tells of all."""
        self._ahead.pop(key, None)
        known = self._fills.get(key)
        if known is None:
            known = self._fills[key] = {}
        fresh = []
        for fill in fills:
            if fill.trade_id not in known:
                known[fill.trade_id] = fill.quantity
                fresh.append(fill)
        return fresh

    def moves(self, reports: Sequence[OrderReport], at_ns: int) -> list[Move]:
        """Give the steps that reports make orders take, each report judged after the last.

        Reports of unknown or final orders, and those that say nothing new, give none.
        """
        moves = []
        for report in reports:
            entry = self._by_client_id.get(report.client_order_id)
            if entry is not None:
                moves += self.moves_of(entry, steps_to(entry, report), report, at_ns)
        return moves

    def ended(self, reports: Sequence[OrderReport]) -> None:
        """Tell what reports say of orders that have ended, by one of them perhaps; and of others.

        Once the moves are committed: until then none of these has.
        """
        for report in reports:
            name = report.client_order_id
            entry = self._ended.get(name) or self._by_client_id.get(name)
            if entry is None:
                continue
            if report.namesakes or is_another(entry, report):
                self.on_another(entry, report)
            if entry.state in FINAL_STATES:
                self.on_final(entry, report)

    def moves_of(
        self, entry: LedgerEntry, steps: Sequence[OrderState], report: OrderReport, at_ns: int
    ) -> list[Move]:
        """Give the moves to these states; without any, what the report only adds in executions.

        A stream tells of an order and of its trades apart, and of the order first. Of another
        order that bears the same id nothing is taken.
        """
        if is_another(entry, report):
            return []
        moves: list[Move] = []
        for to in steps:
            moves.append(self.ahead(entry, step_from(entry, to, report, at_ns)))
            entry = moves[-1].after
        if not steps and (fresh := self._owed(entry, report.fills)):
            moves.append(self.ahead(entry, fills_step(entry, fresh, report, at_ns)))
        return moves

    def _owed(self, entry: LedgerEntry, fills: Sequence[Fill]) -> tuple[Fill, ...]:
        """Give the executions that are not known yet, of an ended order those that its end counts.

        What the venue filled after the end that it told is no position here: see `late_fills`.
        """
        if not fills or not self._lacks(entry):
            return ()
        known = self._known(entry.order_key)
        fresh = tuple(fill for fill in fills if fill.trade_id not in known)
        if entry.state not in FINAL_STATES:
            return fresh
        room = EXACT.subtract(entry.filled_quantity, reduce(EXACT.add, known.values(), NOTHING))
        counted: list[Fill] = []
        too_much_at_ns: int | None = None
        for fill in sorted(fresh, key=lambda one: one.ts_event_ns):
            if too_much_at_ns not in (None, fill.ts_event_ns):
                break
            if fill.quantity > room:  # another of the same moment may be the one before the end
                too_much_at_ns = fill.ts_event_ns
                continue
            room = EXACT.subtract(room, fill.quantity)
            counted.append(fill)
        return tuple(counted)

    def ahead(self, entry: LedgerEntry, step: Step) -> Move:
        """Count on a step that is about to be committed."""
        after = ahead_of(entry, step)
        self._by_client_id[entry.client_order_id] = after
        if step.fills:
            ahead = self._ahead.setdefault(entry.order_key, {})
            ahead.update((fill.trade_id, fill.quantity) for fill in step.fills)
        return Move(step, entry, after, step.fills)

    def unsettled_symbols(self) -> set[Symbol]:
        """Give the symbols with an order whose outcome is not known."""
        return {entry.symbol for entry in self.being_asked_for()}
