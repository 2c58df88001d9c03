"""The orders that rest on the lines of a grid: which there should be, and how to come there.

With lines l[0] < ... < l[cells] and H lots held, which are those of the highest cells:

    bids        at l[cells - 1 - H], and at the lines below it
    asks        at l[cells - H + 1], and at the lines above it, as many as there are lots

The line between them, l[cells - H], is that of the order which filled last. What the market has
passed without an order on it, at the start or in a leap, is bought or sold at the market.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from messages.order_changes import OrderChange
from messages.orders import OrderUpdate
from messages.values import Instrument, OrderState, OrderType, Side, TimeInForce
from strategies.protocol import Cancel, Decision, Replace, market_order
from strategies.sizing import round_down, tick_at

Wishes = list[Decision | OrderChange]


class GridOrders:
    """Looks at the open orders and the position alone: it has no memory, and needs none."""

    def __init__(
        self, lines: Sequence[Decimal], lot: Decimal, each_side: int, instrument: Instrument
    ) -> None:
        tick = tick_at(lines[0], instrument)
        self._lines = [round_down(line, tick) for line in lines]
        self._lot, self._each_side, self._instrument = lot, each_side, instrument

    def wishes(self, orders: Sequence[OrderUpdate], position: Decimal, close: Decimal) -> Wishes:
        """Say what is to be sent, moved and ended; nothing where all is as it should be."""
        held = position - _sum(one.side.signed(one.quantity) for one in orders)
        bids = [one for one in orders if one.side is Side.BUY]
        asks = [one for one in orders if one.side is Side.SELL]
        coming = [one for one in bids if one.limit_price is None or one.limit_price >= close]
        going = [one for one in asks if one.limit_price is None or one.limit_price <= close]
        will_hold = held + _sum(one.quantity for one in coming)
        keeps = held - _sum(one.quantity for one in going)
        least = len(self._lines) - 1 - bisect_left(self._lines, close, 0, len(self._lines) - 1)
        most = len(self._lines) - bisect_right(self._lines, close, 1)
        bought = max(least - self._lots(will_hold), 0)
        sold = max(self._lots(keeps) - most, 0)
        bid_lines = self._bid_lines(self._lots(will_hold) + bought)
        ask_lines = self._ask_lines(self._lots(keeps) - sold)
        odd = keeps - self._lots(keeps) * self._lot
        return [
            *self._at_market(Side.BUY, bought, close),
            *self._at_market(Side.SELL, sold, close),
            *self._brought_to(Side.BUY, _less(bids, coming), bid_lines, Decimal(0)),
            *self._brought_to(Side.SELL, _less(asks, going), ask_lines, odd),
        ]

    def _lots(self, quantity: Decimal) -> int:
        lots = int((quantity / self._lot).to_integral_value(ROUND_HALF_EVEN))
        return min(max(lots, 0), len(self._lines) - 1)

    def _at_market(self, side: Side, lots: int, close: Decimal) -> Wishes:
        if not lots or lots * self._lot * close < self._instrument.min_notional:
            return []
        return [market_order(side, lots * self._lot, f"close {close}: beyond {lots} lines")]

    def _bid_lines(self, lots: int) -> list[Decimal]:
        """The nearest first; none where a lot would be too small for the venue."""
        below = self._lines[: len(self._lines) - 1 - lots][::-1][: self._each_side]
        return [line for line in below if self._lot * line >= self._instrument.min_notional]

    def _ask_lines(self, lots: int) -> list[Decimal]:
        above = self._lines[len(self._lines) - lots :]
        return above[: self._each_side]

    def _brought_to(
        self, side: Side, orders: list[OrderUpdate], lines: list[Decimal], odd: Decimal
    ) -> Wishes:
        """Move the orders that are where none should be; `odd` goes with the nearest new one.

        What has filled in part, or of which nothing was heard yet, is left where it is.
        """
        there = {one.limit_price for one in orders}
        missing = [line for line in lines if line not in there]
        stray = [one for one in orders if one.limit_price not in lines and _may_move(one)]
        room = max(self._each_side - len(orders), 0)
        new = missing[len(stray) :][:room]
        return [
            *(_moved(order, line) for order, line in zip(stray, missing, strict=False)),
            *map(_ended, stray[len(missing) :]),
            *(self._lot_at(side, line, odd * (not place)) for place, line in enumerate(new)),
        ]

    def _lot_at(self, side: Side, line: Decimal, odd: Decimal) -> Decision:
        return Decision(
            side=side,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            quantity=round_down(self._lot + odd, self._instrument.quantity_step),
            limit_price=line,
            reason="a lot rests on its line",
        )


def _sum(quantities: Iterable[Decimal]) -> Decimal:
    return sum(quantities, start=Decimal(0))


def _less(orders: list[OrderUpdate], others: list[OrderUpdate]) -> list[OrderUpdate]:
    return [one for one in orders if one not in others]


def _moved(order: OrderUpdate, line: Decimal) -> Replace:
    return Replace(order=order.order_key, limit_price=line, reason="its lot rests nearer now")


def _ended(order: OrderUpdate) -> Cancel:
    return Cancel(order=order.order_key, reason="no lot rests there any more")


def _may_move(order: OrderUpdate) -> bool:
    return not order.filled_quantity and order.state is not OrderState.CLAIMED
