"""The order that leads from what a strategy holds to what it wants to hold. Pure."""

from decimal import Decimal

import msgspec

from messages.errors import BadDecision
from messages.exact import EXACT, is_sane, is_sane_signed
from messages.values import Instrument, OrderType, Side, Target, TimeInForce


class Order(msgspec.Struct, frozen=True, gc=False):
    """The decision that a target comes to."""

    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    reason: str


def order_to(target: Target, held: Decimal, price: Decimal, grid: Instrument) -> Order | None:
    """Give the market order from what is held to the target; None when it is there already.

    Both the target and the way are rounded toward zero to the venue's step. A way that is too
    small for the venue is none; of an exit, only the venue can say whether its worth suffices.

    Raises:
        BadDecision: the target is not a number that exists, or it needs a price and has none.
    """
    wanted = _wanted(target, price, grid)
    way = EXACT.subtract(wanted, held)
    quantity = _on_grid(abs(way), grid.quantity_step)
    leaves = abs(wanted) < abs(held) and wanted * held >= 0
    worth = EXACT.multiply(quantity, price)
    if quantity < grid.min_quantity or not quantity or (worth < grid.min_notional and not leaves):
        return None
    return Order(
        side=Side.BUY if way > 0 else Side.SELL,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=quantity,
        limit_price=None,
        reason=target.reason,
    )


def is_there(target: Target, held: Decimal) -> bool:
    """Whether so much is held already, in base currency."""
    quantity = target.quantity
    return isinstance(quantity, Decimal) and quantity.is_finite() and quantity == held


def _wanted(target: Target, price: Decimal, grid: Instrument) -> Decimal:
    amount = target.notional if target.quantity is None else target.quantity
    if not isinstance(amount, Decimal) or not is_sane_signed(amount):
        raise BadDecision(
            f"a Target of {amount!r} is nothing to hold; it needs a finite Decimal"
            + _as_decimal(amount)
        )
    if not isinstance(target.reason, str):
        raise BadDecision(f"the reason of a Target is {target.reason!r}, expected a text")
    if target.quantity is None and not is_sane(price):
        raise BadDecision(f"a notional cannot be reckoned at the price {price}")
    unit = grid.quantity_step
    if target.quantity is None:
        unit = EXACT.multiply(price, unit)
    steps = EXACT.divide_int(abs(amount), unit)
    return EXACT.multiply(steps, grid.quantity_step).copy_sign(amount)


def _as_decimal(amount: object) -> str:
    """Say how a number of another kind is written; a float by its digits, as it was meant."""
    if type(amount) is int and is_sane_signed(Decimal(amount)):
        return f": write Decimal({amount})"
    if type(amount) is float and is_sane_signed(Decimal(repr(amount))):
        return f': write Decimal("{amount!r}"), or Decimal(repr(amount)) of one that is reckoned'
    return ""


def _on_grid(quantity: Decimal, step: Decimal) -> Decimal:
    return EXACT.multiply(EXACT.divide_int(quantity, step), step)
