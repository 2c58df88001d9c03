"""The orders of a strategy that ends and replaces them, and what its position counts of each.

Any other strategy's position counts each decision as filled, for good. One that manages its orders
is told what became of them, and its position is what they have filled or may yet fill.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from decisions.order_keys import client_order_id
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, Symbol
from messages.order_states import FINAL_STATES
from messages.orders import CancelIntent, Intent, OrderIntent, OrderUpdate
from messages.values import OrderState


class Counted(msgspec.Struct):
    """What a position counts of one order: base currency, signed."""

    symbol: Symbol
    quantity: Decimal


class Replaced(msgspec.Struct):
    """An order whose place another one takes, which counts for both meanwhile."""

    by: OrderKey
    quantity: Decimal
    """What the position counted of it before: signed."""
    told: OrderUpdate
    """What was told of it last."""


class ManagedOrders(msgspec.Struct, kw_only=True):
    """Of one strategy; it outlives the strategy's incarnations."""

    open: dict[OrderKey, OrderUpdate] = {}
    """Those that are at the venue, or may come to be, and are not replaced: as they were told last;
    `claimed` before anything was. So nobody must remember what he has decided."""
    counted: dict[OrderKey, Counted] = {}
    replaced: dict[OrderKey, Replaced] = {}
    untold: list[Intent] = []
    """Of the last event: decided, and perhaps not told the executor. Asked once more its strategy
    might decide otherwise under the same keys, for its orders have moved since."""

    def copy(self) -> "ManagedOrders":
        """Give a copy that an abandoned incarnation cannot change."""
        counted = {key: msgspec.structs.replace(one) for key, one in self.counted.items()}
        replaced = {key: msgspec.structs.replace(one) for key, one in self.replaced.items()}
        return ManagedOrders(
            open=self.open.copy(), counted=counted, replaced=replaced, untold=self.untold.copy()
        )

    def begin_with(self, orders: Iterable[OrderUpdate]) -> None:
        """Take up what earlier processes have left open; the position counts it as filled."""
        for order in orders:
            self.open[order.order_key] = order
            quantity = order.side.signed(decided_quantity(order))
            self.counted[order.order_key] = Counted(order.symbol, quantity)

    def decided(self, intents: Iterable[Intent]) -> None:
        """Count what was decided; the positions count it already."""
        for intent in intents:
            if isinstance(intent, CancelIntent):
                continue
            quantity = intent.side.signed(intent.quantity)
            self.counted[intent.order_key] = Counted(intent.symbol, quantity)
            first = intent.replaces
            if first is not None and first in self.counted and first in self.open:
                before, told = self.counted[first], self.open.pop(first)
                self.replaced[first] = Replaced(intent.order_key, before.quantity, told)
                before.quantity = NOTHING
            self.open[intent.order_key] = _on_its_way(intent)

    def updated(self, update: OrderUpdate) -> Decimal:
        """Take what became of an order; give by how much its symbol's position changes, signed."""
        key = update.order_key
        if update.state not in FINAL_STATES:
            if key in self.replaced:
                self.replaced[key].told = update
            elif key in self.counted:  # an exit of a stop is the executor's
                self.open[key] = update
                return self._sent(update, self.counted[key])
            return NOTHING
        self.open.pop(key, None)
        counted = self.counted.pop(key, None)
        if counted is None:
            return NOTHING  # a stop's, or it was told before
        filled = update.side.signed(_done(update))
        taken_by = self.replaced.pop(key, None)
        second = None if taken_by is None else self.counted.get(taken_by.by)
        if second is not None:
            second.quantity = EXACT.subtract(second.quantity, filled)
            return NOTHING
        return EXACT.add(EXACT.subtract(filled, counted.quantity), self._given_back(key))

    def _sent(self, update: OrderUpdate, counted: Counted) -> Decimal:
        """Count what was sent, where that is less: an exit leaves what is there, and no more."""
        before, counted.quantity = counted.quantity, update.side.signed(decided_quantity(update))
        return EXACT.subtract(counted.quantity, before)

    def _given_back(self, key: OrderKey) -> Decimal:
        """Count an order again whose replacement has ended before it did: that was refused."""
        for first, replaced in self.replaced.items():
            if replaced.by == key:
                del self.replaced[first]
                self.counted[first].quantity = replaced.quantity
                self.open[first] = replaced.told
                return replaced.quantity
        return NOTHING


def decided_quantity(order: OrderUpdate) -> Decimal:
    """Give what was decided of an order, where fees had left less of it to send."""
    return EXACT.add(order.quantity, order.taken_by_fees)


def _done(order: OrderUpdate) -> Decimal:
    """Give what an order has brought or left; what fees had taken of an exit is left with it."""
    is_whole = order.state is OrderState.FILLED
    return EXACT.add(order.filled_quantity, order.taken_by_fees if is_whole else NOTHING)


def _on_its_way(intent: OrderIntent) -> OrderUpdate:
    return OrderUpdate(
        order_key=intent.order_key,
        client_order_id=client_order_id(intent.order_key),
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        state=OrderState.CLAIMED,
        quantity=intent.quantity,
        filled_quantity=NOTHING,
        average_price=None,
        fills=(),
        reason=intent.reason,
        decided_at_ns=intent.decided_at_ns,
        ts_event_ns=intent.decided_at_ns,
        limit_price=intent.limit_price,
    )
