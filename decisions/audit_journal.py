"""What must hold between an order of the ledger and what a journal holds of it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from decisions.audit import SURELY_THERE, Outcome
from messages.ids import ClientOrderId, TradeId, VenueOrderId
from messages.order_states import ABSENT_STATES, FINAL_STATES
from messages.orders import Fill, OrderReport
from messages.values import OrderState

PERSON = "person:"
"""What the evidence of a step begins with that a person ordered."""
PERSONS_FILL = "person-"
"""What the trade id of an execution begins with that a person told of."""

_WITHDRAWN = {OrderState.CANCELED, OrderState.EXPIRED}
"""Venues tell of one such end now with the one word, now with the other."""


class Recorded(Outcome, Protocol):
    """An order as the ledger has it, with its names."""

    @property
    def client_order_id(self) -> ClientOrderId:
        """Its name at the venue."""

    @property
    def venue_order_id(self) -> VenueOrderId | None:
        """The venue's name for it."""


def identity_problem(order: Recorded, report: OrderReport) -> str | None:
    """Say in what a report is of another order; that can be at no time."""
    if report.client_order_id != order.client_order_id:
        return f"it is {order.client_order_id}, the journal has it as {report.client_order_id}"
    if report.symbol != order.symbol:
        return f"it is of {order.symbol}, in the journal of {report.symbol}"
    ours, theirs = order.venue_order_id, report.venue_order_id
    if ours and theirs and ours != theirs:
        return f"the venue's name for it is {ours}, in the journal {theirs}"
    return None


def outcome_problem(
    order: Recorded, fills: Mapping[TradeId, Fill], report: OrderReport
) -> str | None:
    """Say what of a report the ledger has not; it may have more."""
    if report.filled_quantity > order.filled_quantity:
        return f"{order.filled_quantity} is filled, in the journal {report.filled_quantity}"
    if not _agree(order.state, report.state):
        return f"it is {order.state}, in the journal {report.state}"
    return next(_lacking(fills, report.fills), None)


def _agree(state: OrderState, told: OrderState) -> bool:
    if state in ABSENT_STATES and told in SURELY_THERE:
        return False
    if told not in FINAL_STATES or state is told:
        return True
    return state in _WITHDRAWN and told in _WITHDRAWN


def _lacking(known: Mapping[TradeId, Fill], told: Iterable[Fill]) -> Iterator[str]:
    """Fees are not compared: a stream often tells of an execution without."""
    for fill in told:
        there = known.get(fill.trade_id)
        if there is None:
            yield f"execution {fill.trade_id} of {fill.quantity} is in the journal only"
        elif (there.price, there.quantity) != (fill.price, fill.quantity):
            yield (
                f"execution {fill.trade_id} is {there.quantity} at {there.price},"
                f" in the journal {fill.quantity} at {fill.price}"
            )
