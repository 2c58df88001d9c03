"""What a strategy gives, in the very kinds that messages are made of. Pure.

A text or a number of numpy's, or of a class of the strategy's own, passes for one and cannot be
written down: neither by metrics nor by the journal.
"""

from decimal import Decimal
from typing import Any

from decisions.targets import Order


def plain_order(order: Any) -> Order:
    """Give a decision that was found to be one."""
    limit = order.limit_price
    return Order(
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        quantity=plain_number(order.quantity),
        limit_price=None if limit is None else plain_number(limit),
        reason=plain_text(order.reason),
    )


def plain_text(text: str) -> str:
    """Give the text itself, whatever its class says of it."""
    return text if type(text) is str else str.__str__(text)


def plain_number(number: Decimal) -> Decimal:
    """Give the number itself."""
    return number if type(number) is Decimal else Decimal(number)
