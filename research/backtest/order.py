"""One decision of a backtest, and how far its order came."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from decisions.order_keys import client_order_id
from decisions.replacing import First
from exchanges.paper_plain import Executed
from exchanges.protocol import NewOrder
from messages.exact import NOTHING
from messages.ids import ClientOrderId, TimestampNs
from messages.orders import Fill, OrderIntent, OrderUpdate
from messages.values import OrderState

Execution = Fill | Executed


class Order(msgspec.Struct, kw_only=True, gc=False):
    """One decision and how far its order came."""

    intent: OrderIntent
    state: OrderState
    filled_quantity: Decimal = NOTHING
    value: Decimal = NOTHING
    """Of what is filled, where that came by pieces."""
    executed: tuple[Fill, ...] | Executed = ()
    state_reason: str = ""

    @property
    def client_order_id(self) -> ClientOrderId:
        """Its name at the venue."""
        return client_order_id(self.intent.order_key)

    @property
    def average_price(self) -> Decimal | None:
        """None before anything is filled."""
        quantity, executed = self.filled_quantity, self.executed
        if isinstance(executed, Executed):
            return quantity * executed.price / quantity
        return self.value / quantity if quantity else None

    @property
    def executions(self) -> int:
        """How many `fills` there are; none is made for it."""
        executed = self.executed
        return 1 if isinstance(executed, Executed) else len(executed)

    @property
    def fills(self) -> list[Fill]:
        """What was executed of it."""
        executed = self.executed
        if isinstance(executed, Executed):
            return [executed.as_fill(self.client_order_id)]
        return list(executed)


def for_venue(order: Order, touched_price: Decimal | None) -> NewOrder:
    """Give it as it goes to the venue."""
    intent = order.intent
    return NewOrder(
        client_order_id=order.client_order_id,
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        decided_at_ns=intent.decided_at_ns,
        touched_price=touched_price,
        strategy_id=intent.strategy_id,
    )


def first_of(order: Order) -> First:
    """Give what judging its replacement looks at."""
    intent = order.intent
    return First(
        order_key=intent.order_key,
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        state=order.state,
        quantity=intent.quantity,
        filled_quantity=order.filled_quantity,
    )


def update_of(order: Order, fills: Sequence[Fill], at_ns: TimestampNs) -> OrderUpdate:
    """Tell of its present state; `fills` are what the last step brought."""
    intent = order.intent
    return OrderUpdate(
        order_key=intent.order_key,
        client_order_id=order.client_order_id,
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        state=order.state,
        quantity=intent.quantity,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
        fills=tuple(fills),
        reason=order.state_reason,
        decided_at_ns=intent.decided_at_ns,
        ts_event_ns=at_ns,
        limit_price=intent.limit_price,
    )
