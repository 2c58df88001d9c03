"""What must hold of a ledger's orders at a real exchange, as it shows them afterwards. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce

from decisions.audit import SURELY_THERE, AtVenue, Counted, venue_problem
from decisions.audit_journal import PERSONS_FILL
from messages.exact import EXACT, NOTHING
from messages.ids import NS_PER_S
from messages.order_states import FINAL_STATES
from messages.orders import Fill
from messages.values import OrderState

AROUND_NS = 60 * NS_PER_S
"""How much the clocks may differ and a request be late, amply: of what is placed within."""
_ASKED_ALONE = set(OrderState) - {OrderState.REFUSED, OrderState.REJECTED}
"""The others never were at the exchange, or its own answer said so."""


def is_asked_alone(state: OrderState) -> bool:
    """Whether an order in this state is worth a question when no list shows it."""
    return state in _ASKED_ALONE


def shown_problem(order: Counted, there: AtVenue | None) -> str | None:
    """Hold an order against what the exchange shows of it; see `venue_problem`.

    How an order has ended is told in several words (canceled, expired), also by one exchange on
    its two ways; what counts is that it has ended, and with how much filled.
    """
    if there is not None and _ended_alike(order, there):
        same = AtVenue(order.state, there.filled_quantity, there.symbol, there.side, there.quantity)
        return venue_problem(order, same)
    return venue_problem(order, there)


def _ended_alike(order: Counted, there: AtVenue) -> bool:
    is_over = order.state in FINAL_STATES & SURELY_THERE and there.state in FINAL_STATES
    return is_over and order.filled_quantity == there.filled_quantity


def executions_problem(known: Sequence[Fill], told: Sequence[Fill]) -> str | None:
    """Hold an order's executions in the ledger against all that the exchange lists of it.

    None known at all is no difference: the order's own report said how much is filled. Of what a
    person settled the person's word is the quantity: the exchange has its own names for that.
    """
    if not known:
        return None
    listed = {fill.trade_id: fill for fill in told}
    by_person = [fill for fill in known if fill.trade_id.startswith(PERSONS_FILL)]
    for fill in known:
        if fill in by_person:
            continue
        there = listed.pop(fill.trade_id, None)
        if there is None:
            return f"the exchange has no execution {fill.trade_id}"
        if (there.price, there.quantity) != (fill.price, fill.quantity):
            return (
                f"execution {fill.trade_id} is {fill.quantity} at {fill.price}, at the exchange"
                f" {there.quantity} at {there.price}"
            )
    missing, settled = _quantity(listed.values()), _quantity(by_person)
    if by_person and missing != settled:
        return f"a person settled {settled} of it, which is {missing} at the exchange"
    if listed and not by_person:
        return f"executions {', '.join(sorted(listed))} of {missing} are at the exchange alone"
    return None


def _quantity(fills: Iterable[Fill]) -> Decimal:
    return reduce(EXACT.add, (fill.quantity for fill in fills), NOTHING)


def is_of_this_run(placed_at_ns: int, began_at_ns: int, ended_at_ns: int | None) -> bool:
    """Whether an order was placed while this run could have done it.

    From its first moment until its last sign of life, by our clock; `placed_at_ns` is by the
    exchange's. Others of one account have run directories of their own, before and after.
    """
    if placed_at_ns < began_at_ns - AROUND_NS:
        return False
    return ended_at_ns is None or placed_at_ns <= ended_at_ns + AROUND_NS
