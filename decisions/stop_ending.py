"""What a person may end of a stop, and what is too little for a venue to sell. Pure."""

from decimal import ROUND_DOWN, Decimal

import msgspec

from decisions.stop_exits import Orders, left_to_protect
from messages.exact import EXACT, NOTHING
from messages.order_states import FINAL_STATES
from messages.stops import Stop, StopState
from messages.values import Instrument

COMMAND = "watchkeeper orders end-stop"


def why_not_end(stop: Stop, orders: Orders) -> str:
    """Say why a stop cannot be ended now; empty when it can.

    What an open order of it comes to is not known: ended before that, it would leave too little
    or too much to whoever takes over.
    """
    for key, what in ((stop.entry_key, "entry"), *((key, "exit") for key in stop.exits)):
        order = orders.get(key)
        if order is not None and order.state not in FINAL_STATES:
            return (
                f"its {what} {key} is open ({order.state}): end that first, with"
                f" `watchkeeper orders cancel {key}`"
            )
    return ""


def ended_by_hand(stop: Stop, orders: Orders, *, by: str, at: str, reason: str) -> Stop:
    """Give the stop as it is kept from then on: done, and with what it left to the person.

    `at` is the moment as a person reads it.
    """
    left = max(left_to_protect(stop, orders), NOTHING)
    said = f"ended by {by} at {at}, {left.normalize():f} left to nobody: {reason}"
    return msgspec.structs.replace(
        stop,
        state=StopState.DONE,
        released=EXACT.add(stop.released, left),
        why=f"{stop.why}; {said}" if stop.why else said,
    )


def too_little(quantity: Decimal, price: Decimal, grid: Instrument | None) -> str:
    """Say why a venue takes no order of what is left, whatever its price; empty when it may."""
    if grid is None or quantity <= NOTHING:
        return ""
    steps = (quantity / grid.quantity_step).to_integral_value(ROUND_DOWN)
    sold = EXACT.multiply(steps, grid.quantity_step)
    least = max(grid.min_quantity, grid.quantity_step)
    if sold < least:
        return f"{quantity.normalize():f} is less than the {least.normalize():f} that it takes"
    worth = EXACT.multiply(sold, price)
    if worth < grid.min_notional:
        return (
            f"{quantity.normalize():f} is worth {worth.normalize():f} at {price.normalize():f},"
            f" less than the {grid.min_notional.normalize():f} that it takes"
        )
    return ""
