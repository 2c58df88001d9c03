"""An order that no question shows, looked for by what it has traded: the last look of all.

An exchange may answer out of a copy that lags, and another copy may know more. What has traded
since the order was sent belongs to an order, and that is asked for by the exchange's own id.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any

from exchanges.ccxt_executions import TooMany
from exchanges.ccxt_lookup import Found, OrderLookup, carries
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_S, ClientOrderId, Symbol, VenueOrderId

MOST_ASKED = 20
"""So many orders that have traded are asked for, those that traded first: an order that traded as
it came is among them. More would cost the rate of a key that trades much by itself."""
_LOOK_BACK_NS = 5 * NS_PER_S
"""More than the two clocks may differ by."""


async def traded(
    lookup: OrderLookup,
    client_order_id: ClientOrderId,
    symbol: Symbol,
    sent_at_ns: int,
    is_other: Callable[[VenueOrderId, ClientOrderId], bool],
) -> Found | None:
    """Give the order whose executions show it; None where all that has traded is of others.

    `is_other` says that an order is known to be another one, so that it is not asked for. Where the
    executions cannot be listed whole, nothing is said: what was asked before stands by itself.

    Raises:
        OutcomeUnknown: a question failed, or something has traded whose order is not shown.
    """
    try:
        executions = await lookup.executions.since(symbol, max(0, sent_at_ns - _LOOK_BACK_NS))
    except TooMany:
        return None
    executions.sort(key=_moment)
    named = (VenueOrderId(str(one["order"])) for one in executions if one.get("order"))
    unknown = (one for one in dict.fromkeys(named) if not is_other(one, client_order_id))
    for venue_order_id in islice(unknown, MOST_ASKED):
        order = await lookup.by_venue_id(venue_order_id, symbol)
        if order is None:
            raise OutcomeUnknown(
                f"not_seen: {symbol} has traded for an order {venue_order_id} that the venue does"
                " not show yet, which may be this one; ask again later"
            )
        if carries(order, client_order_id):
            return Found(order, "only its executions have shown it")
    return None


def _moment(trade: dict[str, Any]) -> int:
    return trade.get("timestamp") or 0
