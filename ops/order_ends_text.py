"""The same as a person reads it in `explain`: a name and a text for each line."""

from collections.abc import Iterator
from typing import Any

from decisions.order_wishes import without_second
from messages.order_states import FINAL_STATES
from messages.values import OrderState
from ops.health_text import one_line
from ops.moments import utc

_ENDED = (OrderState.CANCELED, OrderState.REFUSED)


def line_of_first(first: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Tell whose place an order takes."""
    if first is not None:
        yield "in place of", f"{first['order_key']}: {_how_far(first)}"


def lines_of_end(order: dict[str, Any], end: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Tell that an order was to end, what came of that, and what takes its place."""
    if end is None:
        return
    why, state = one_line(without_second(end["why"])), OrderState(order["state"])
    if state in _ENDED:
        yield "ended", why
    elif state in FINAL_STATES:
        yield "to be ended", f"{why}; but it was {state} before that"
    elif end["is_under_way"]:
        yield "to be ended", f"{why}; it is being canceled"
    else:
        yield "to be ended", f"{why}; it is open still"
    if second := end["replaced_by"]:
        yield "replaced by", f"{second['order_key']}: {_how_far(second)}"


def lines_of_waiting(waits: dict[str, Any]) -> Iterator[str]:
    """Tell of a decision that waits for another order to end."""
    price = f"at {waits['limit_price']}" if waits["limit_price"] else "at the market"
    wanted = f"{waits['side']} {waits['quantity']} {waits['symbol']} {price}"
    yield f"decision {waits['order_key']}"
    yield f"  {wanted}, by {one_line(waits['strategy_id'])} on account {waits['account']}"
    yield f"  it waits for {waits['waits_for']} to end, whose place it takes"
    yield ""
    yield f"decided   {utc(waits['decided_at_ns'])} {one_line(waits['reason'])} (market's clock)"
    yield f"next      {_next(waits)}"


def _next(waits: dict[str, Any]) -> str:
    if waits["dropped"]:
        return f"it is refused: {one_line(waits['dropped'])}"
    return (
        "once that is proved to have ended, it is judged again, and sent for what is not filled;"
        " a new process refuses it"
    )


def _how_far(order: dict[str, Any]) -> str:
    if order["state"] is None:
        return "not sent yet: it waits until this one has ended"
    why = f" ({one_line(order['state_reason'])})" if order["state_reason"] else ""
    return f"{order['state']}{why}, {order['filled_quantity']} of {order['quantity']} filled"
