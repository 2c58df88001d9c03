"""OKX's `orders` channel: from what happens to an order to the event that tells it."""

from collections.abc import Iterable, Iterator

from exchanges.local import wire_okx as wire
from exchanges.local.effects import Effects
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults_streams import USER
from exchanges.local.hub import Hub
from exchanges.local.orders import Order, OrderEvent, Trade


class OrdersChannel:
    """Tells a hub's subscribers each step of each order of one exchange."""

    def __init__(self, exchange: LocalExchange, hub: Hub) -> None:
        self._exchange = exchange
        self._hub = hub
        exchange.listen(self._on_effects)

    def _on_effects(self, effects: Effects) -> None:
        if USER not in self._hub.subscribed():
            return
        for event in effects.events:
            if isinstance(event, OrderEvent):
                self._hub.post(USER, self._told(event))

    def _told(self, event: OrderEvent) -> wire.Json:
        engine, order = self._exchange.engine, event.order
        own = (one for one in engine.trades if one.order_id == order.order_id)
        order_then = wire.queried(order, _until_then(order, own), engine.markets[order.symbol])
        return order_then | wire.execution(event.trade) | _WITHOUT


def _until_then(order: Order, trades: Iterable[Trade]) -> Iterator[Trade]:
    """Give the executions that make up what was filled when the order stood so."""
    filled = order.filled
    for trade in trades:
        if filled <= 0:
            return
        filled -= trade.quantity
        yield trade


_WITHOUT: wire.Json = {
    "amendResult": "",
    "ccy": "",
    "code": "0",
    "lever": "",
    "msg": "",
    "pnl": "0",
    "rebate": "0",
    "rebateCcy": "",
    "reqId": "",
    "source": "",
}
"""What each event has beside, and means nothing here: no amendment, no margin, no rebate."""
