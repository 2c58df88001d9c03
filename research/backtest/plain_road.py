"""The shortest road of an order: judged, sent, and filled as a whole by the candle after it.

Nearly all orders of a backtest go it, and each of its steps is done elsewhere one by one, among
what other orders may need. Here one loop does them for one strategy that is alone on its market
and decides a block ahead, and stops before the first decision that is more than that: the desk
goes on from there, as it would have from the beginning.
"""

from collections.abc import Callable
from typing import cast

from decisions.risk_plain import PlainGate
from exchanges.paper_plain import PlainVenue
from messages.ids import TimestampNs
from messages.values import OrderState
from research.backtest.driver import Driver
from research.backtest.order import Order
from research.backtest.track import Track

_ACCEPTED, _FILLED = OrderState.ACCEPTED, OrderState.FILLED


class PlainRoad:
    """Of a desk that `is_plain`; `wait` is given an order that the next candle does not fill."""

    def __init__(
        self,
        gate: PlainGate,
        venue: PlainVenue,
        orders: list[Order],
        wait: Callable[[Order], None],
    ) -> None:
        self._gate, self._venue, self._orders, self._wait = gate, venue, orders, wait

    def go(self, track: Track, driver: Driver, before_ns: int) -> None:
        """Go on in a market without an open order, over its candles that end before a moment.

        At the end the track stands at the first place that is left to do.
        """
        block, size, found = track.block, track.size, driver.found
        times_ns = cast("list[TimestampNs]", block.times_ns)
        gate, venue = self._gate, self._venue
        takes, passes, fills = venue.takes_at_once, gate.lets_through, venue.fill_from
        add_order, add_trade = self._orders.append, track.trades.append
        while found:
            at, what = found[0]
            after = at + 1
            if after >= size or type(what) is not tuple or len(what) != 1:
                break
            ts_ns = times_ns[after]
            (intent,) = what
            if ts_ns >= before_ns or not takes(intent) or not passes(intent):
                break
            found.popleft()
            executed = fills(intent, block, after, ts_ns)
            if executed is None:
                order = Order(intent=intent, state=_ACCEPTED)
                add_order(order)
                self._wait(order)
                driver.at, track.at = found[0][0] if found else size, after
                return
            add_order(
                Order(
                    intent=intent,
                    state=_FILLED,
                    filled_quantity=executed.quantity,
                    executed=executed,
                )
            )
            add_trade((after, intent.side, (executed,)))
        driver.at = track.at = found[0][0] if found else size
