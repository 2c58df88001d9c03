"""OKX's `orders` channel: from what happens to an order to the event that tells it."""

from exchanges.local import wire_okx as wire
from exchanges.local.effects import Effects
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults_streams import USER
from exchanges.local.hub import Hub
from exchanges.local.orders import OrderEvent


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
        market, trades = engine.markets[order.symbol], engine.trades.behind(order)
        return wire.queried(order, trades, market) | wire.execution(event.trade) | _WITHOUT


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
