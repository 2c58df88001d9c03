"""From money to quantities on the venue's grid, and the only two roads between the worlds.

Money, prices and quantities are Decimal; indicators are float. A value crosses by
`price_to_float` or `quantity_from_float` and nowhere else.
"""

from decimal import ROUND_DOWN, Decimal
from math import isfinite

from messages.exact import NOTHING
from messages.values import Instrument, guessed_tick, plain_instrument

price_to_float = float
"""Give a Decimal price as the nearest float, for indicators only (its own name, no wrapper:
a call more per candle is a tenth of a strategy's time)."""


def quantity_from_float(quantity: float, instrument: Instrument) -> Decimal:
    """Give a computed quantity on the instrument's grid, ROUND_DOWN.

    The float's shortest decimal form is taken: 0.3 is three tenths, not 0.29999999999999998.

    Raises:
        ValueError: it is infinite or not a number.
    """
    if not isfinite(quantity):
        raise ValueError(f"{quantity} is no quantity")
    return round_down(Decimal(repr(quantity)), instrument.quantity_step)


def quantity_for_notional(notional: Decimal, price: Decimal, instrument: Instrument) -> Decimal:
    """Give the largest quantity on the grid that costs no more than `notional` (quote currency).

    0 when that is less than the venue accepts, or when there is no positive price.
    """
    if price <= 0 or notional <= 0:
        return NOTHING
    # Not notional / price: that quotient is rounded, and can be rounded up onto the grid.
    steps = notional // (price * instrument.quantity_step)
    quantity = steps * instrument.quantity_step
    too_small = quantity < instrument.min_quantity or quantity * price < instrument.min_notional
    return NOTHING if too_small else quantity


def tick_at(price: Decimal, instrument: Instrument) -> Decimal:
    """Give the step of prices near one: where no venue told any, at most a thousandth of it."""
    tick = instrument.price_tick
    if instrument != plain_instrument(instrument.symbol):
        return tick
    return min(tick, guessed_tick(price))


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """Give the nearest multiple of `step` toward zero."""
    return (quantity / step).to_integral_value(rounding=ROUND_DOWN) * step
