"""What a strategy may wish of an order that it has open: its end, or another one in its place."""

from decimal import Decimal

import msgspec

from messages.ids import OrderKey
from messages.values import TimeInForce


class Cancel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End an order of yours that is open (FIX OrderCancelRequest).

    It may still fill until the venue has ended it. One that is on its way is ended where it is. One
    that is not among `open_orders` has ended already, and nothing comes of this.
    """

    order: OrderKey
    reason: str


class Replace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End an order of yours that is open, and send another one of its symbol and side.

    The first is proved to have ended before the second is sent: never are both at the venue. One
    that has ended already is replaced by nothing, and so is one of which nothing was heard yet.
    """

    order: OrderKey
    reason: str
    limit_price: Decimal | None
    """None for a market order."""
    quantity: Decimal | None = None
    """Of both together (FIX OrderQty): what the first has filled is not asked for again. None: as
    much as the first was for."""
    time_in_force: TimeInForce = TimeInForce.GTC
    stop_loss: Decimal | None = None
    """This and the next two: as in a decision, of what the second one fills."""
    take_profit: Decimal | None = None
    trailing: Decimal | None = None


OrderChange = Cancel | Replace
