"""The exits of a stop: what they are, what they have left, and what their strategy counts of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from decisions.order_like import OrderLike
from decisions.risk_exit import done_by, fees_in
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, TimestampNs
from messages.order_states import FINAL_STATES
from messages.orders import Fill, OrderIntent
from messages.stops import Stop
from messages.values import OrderState, OrderType, Side, TimeInForce


class KnownOrder(OrderLike, Protocol):
    """An order as a ledger holds it."""

    @property
    def decided_at_ns(self) -> TimestampNs:
        """When."""


Orders = Mapping[OrderKey, KnownOrder]
"""By their keys: the entries of stops, and their exits."""

Lookup = Callable[[Sequence[OrderKey]], Orders]
FillsOf = Callable[[OrderKey], Sequence[Fill]]

Told = Mapping[OrderKey, Decimal]
"""How much of its position a strategy counts as left by each exit of a stop, unsigned."""


def exit_of(
    stop: Stop, key: OrderKey, quantity: Decimal, at_ns: TimestampNs, created_ns: TimestampNs
) -> OrderIntent:
    """Give the exit of a stop that has acted."""
    assert stop.acted_price is not None
    return OrderIntent(
        order_key=key,
        account=stop.account,
        strategy_id=stop.strategy_id,
        symbol=stop.symbol,
        side=Side.SELL if stop.side is Side.BUY else Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=quantity,
        limit_price=None,
        reference_price=stop.acted_price,
        decided_at_ns=at_ns,
        ts_created_ns=created_ns,
        reason=f"{stop.why} [protects {stop.entry_key}]",
        leaves=quantity,
    )


def told_changes(stop: Stop, exits: Sequence[KnownOrder]) -> Iterator[tuple[KnownOrder, Decimal]]:
    """Give what a strategy was told of the exits of a stop, for a market that is shown again."""
    left_over = NOTHING
    for order in exits:
        if order.state is OrderState.REFUSED:
            continue
        decided = order.decided_quantity or order.quantity
        told = min(left_over, decided)
        left_over = EXACT.subtract(left_over, told)
        left_over = EXACT.add(left_over, EXACT.subtract(decided, leaves(order)))
        yield order, EXACT.multiply(EXACT.subtract(decided, told), Decimal(-stop.side.sign))


def counted_at_first(exits: Iterable[KnownOrder]) -> dict[OrderKey, Decimal]:
    """Give what a strategy counts as left by exits of before, where it begins with the ledger's.

    Of an open one that is what was sent, not all that was decided.
    """
    return {order.order_key: _sent(order) for order in exits}


def left_until(at_ns: int, exits: Iterable[KnownOrder]) -> Decimal:
    """Give what those have left, or may yet leave, that were decided before a moment."""
    before = (_sent(order) for order in exits if order.decided_at_ns < at_ns)
    return sum(before, start=NOTHING)


def bought_since(at_ns: int, fills: Iterable[Fill]) -> Decimal:
    """Give what of an entry has filled after a moment."""
    return sum((fill.quantity for fill in fills if fill.ts_event_ns > at_ns), start=NOTHING)


def _sent(order: KnownOrder) -> Decimal:
    if order.state in FINAL_STATES:
        return done_by(order)
    fees = NOTHING if order.decided_quantity is None else fees_in(order.reason)
    return EXACT.add(order.quantity, fees)


def leaves(order: KnownOrder) -> Decimal:
    """Give what an exit has left or may yet leave."""
    if order.state in FINAL_STATES:
        return done_by(order)
    return order.decided_quantity or order.quantity


def left_to_protect(stop: Stop, orders: Orders) -> Decimal:
    """Give what is filled of its entry, and neither left by it or its strategy, nor being left.

    Negative where more is left, or being left, than was filled.
    """
    entry = orders.get(stop.entry_key)
    left = EXACT.subtract(NOTHING if entry is None else entry.filled_quantity, stop.released)
    for key in dict.fromkeys(stop.exits):
        if key in orders:
            left = EXACT.subtract(left, leaves(orders[key]))
    return left
