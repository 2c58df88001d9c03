"""Whether a venue could take an order as it is: known from its rules, so nothing is sent for it."""

from decimal import Decimal

from decisions.risk_limits import Refusal
from messages.exact import EXACT
from messages.orders import OrderIntent
from messages.values import Instrument


def off_grid(intent: OrderIntent, grid: Instrument | None, added: Decimal) -> Refusal | None:
    """Give why the venue would surely refuse the order; None where that is not known.

    What a market order is worth only the venue can say, so an exit is left to it to judge; one
    that adds risk is judged at the price that was decided at.
    """
    if grid is None:
        return None
    quantity, price = intent.quantity, intent.limit_price
    if EXACT.remainder(quantity, grid.quantity_step):
        return _no("off_grid", f"{quantity:f} is off the venue's step {grid.quantity_step:f}")
    if quantity < grid.min_quantity:
        text = f"{quantity:f} is below the venue's minimum {grid.min_quantity:f}"
        # An exit is of what is there, and cannot be made larger.
        return _no("min_quantity", f"{text}: raise order_notional" if added else text)
    if price is not None and EXACT.remainder(price, grid.price_tick):
        return _no("off_grid", f"the price {price:f} is off the venue's tick {grid.price_tick:f}")
    if price is None and not added:
        return None
    worth = EXACT.multiply(quantity, price or intent.reference_price)
    if worth < grid.min_notional:
        text = f"the order is worth {worth:f}, below the venue's minimum {grid.min_notional:f}"
        return _no("min_notional", f"{text}: raise order_notional" if added else text)
    return None


def _no(code: str, text: str) -> Refusal:
    return Refusal(code=code, text=text)
