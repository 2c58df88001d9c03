"""An order as a gateway hands it to a venue."""

from decimal import Decimal

from exchanges.protocol import NewOrder
from messages.ids import ClientOrderId, Symbol, TimestampNs
from messages.values import OrderType, Side, TimeInForce


def market_buy(name: str = "wk1") -> NewOrder:
    """Give one of 1 BTC, whatever it costs."""
    return NewOrder(
        client_order_id=ClientOrderId(name),
        symbol=Symbol("BTC/USDT"),
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(1),
        limit_price=None,
        decided_at_ns=TimestampNs(0),
    )
