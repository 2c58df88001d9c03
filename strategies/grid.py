"""A grid: buy a lot at each line that the market falls to, sell it one line higher.

Source: folklore of currency desks, and what every exchange sells as a "grid bot". It earns
while a market swings inside the grid and holds everything it bought when the market leaves it
below. No edge is claimed.

Rule, at the close C of a bar, with lines l[0] = lower < ... < l[cells] = upper and one lot
for each cell, which is bought at l[i] and sold at l[i + 1]:

    least       the number of i with C <= l[i]           (bought there, or below)
    most        the number of i with C < l[i + 1]        (not sold yet)
    position    is brought into least * lot ... most * lot by one market order
    lot         order_notional / cells / upper, so that all lots cost at most order_notional

Lines are even (l[i + 1] - l[i] is one number) or in ratio (l[i + 1] / l[i] is one number, the
lines rounded down to the price tick, or to a thousandth of the price where no venue told one).

Lines are crossed at closes by market orders, which pay the spread and the taker's fee that a
resting order would have earned. With `resting` they are limit orders instead: see
`strategies.grid_orders`. A start inside the grid buys the lots above the market at once. A lot
that the venue finds too small is not traded: `order_notional` must be `cells` times what it asks
for.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.order_changes import OrderChange
from messages.values import Instrument, Side
from strategies.bounds import refuse
from strategies.grid_orders import GridOrders
from strategies.protocol import Decision, Strategy, market_order
from strategies.sizing import quantity_for_notional, round_down, tick_at


class GridParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices in quote currency, as quoted decimals; `cells` lie between them."""

    lower: Decimal
    upper: Decimal
    cells: Annotated[int, msgspec.Meta(ge=1, le=500)] = 10
    spacing: Literal["even", "ratio"] = "even"
    resting: bool = False
    """Limit orders that rest on the lines, instead of market orders when a close is beyond one."""
    each_side: Annotated[int, msgspec.Meta(ge=1, le=50)] = 3
    """So many bids, and so many asks, rest at most."""

    def __post_init__(self) -> None:
        """Refuse a grid without room."""
        if not (self.lower.is_finite() and self.lower > 0):
            refuse([f"lower must be more than 0, not {self.lower}"])
        if not (self.upper.is_finite() and self.upper > self.lower):
            refuse([f"upper must be greater than lower ({self.lower}), not {self.upper}"])


class Grid(Strategy):
    """See the module. Knows nothing but the close, the position and its orders: no warm-up."""

    Params = GridParams

    def __init__(
        self, params: GridParams, symbol: Symbol, order_notional: Decimal, instrument: Instrument
    ) -> None:
        self.params = params
        self.symbol = symbol
        self._instrument = instrument
        self._lines = lines_of(params, instrument)
        budget = order_notional / params.cells
        self._lot = quantity_for_notional(budget, params.upper, instrument)
        self.manages_orders = params.resting
        self._orders = GridOrders(self._lines, self._lot, params.each_side, instrument)

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision | OrderChange]:
        """Bring the position between what the close says is the least and the most.

        Or the orders onto their lines, where they rest.
        """
        close = candle.close
        if not self._lot:
            return ()
        if self.params.resting:
            return self._orders.wishes(tuple(self.open_orders.values()), position, close)
        least = len(self._lines) - 1 - bisect_left(self._lines, close, 0, len(self._lines) - 1)
        most = len(self._lines) - bisect_right(self._lines, close, 1)
        if position < least * self._lot:
            return self._order(Side.BUY, least * self._lot - position, close, least)
        if position > most * self._lot:
            return self._order(Side.SELL, position - most * self._lot, close, most)
        return ()

    def _order(
        self, side: Side, quantity: Decimal, close: Decimal, lots: int
    ) -> Sequence[Decision]:
        rules = self._instrument
        quantity = round_down(quantity, rules.quantity_step)
        if quantity < rules.min_quantity or quantity * close < rules.min_notional:
            return ()
        return (market_order(side, quantity, f"close {close}: {lots} lots of {self._lot}"),)


def lines_of(params: GridParams, instrument: Instrument) -> list[Decimal]:
    """Give the `cells` + 1 prices of the grid, rising."""
    lower, upper, cells = params.lower, params.upper, params.cells
    if params.spacing == "even":
        return [lower + (upper - lower) * place / cells for place in range(cells + 1)]
    ratio = upper / lower
    between = (lower * ratio ** (Decimal(place) / cells) for place in range(1, cells))
    tick = tick_at(lower, instrument)
    return [lower, *(max(lower, round_down(line, tick)) for line in between), upper]
