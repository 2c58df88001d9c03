"""What the risk gate roughly knew before an order, put together from a ledger afterwards. Pure.

The gate itself knew more (what the market did) and, of an order that was filled in parts just
then, perhaps less or more: so what follows from this is called recomputed.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from decisions.risk_state import OpenOrder, RiskState, recall
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategyId, Symbol
from messages.order_states import FINAL_STATES
from messages.values import OrderState, Side


class PastOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that was claimed before, or has changed since; amounts in base currency."""

    order_key: OrderKey
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    quantity: Decimal
    filled_now: Decimal
    state_then: OrderState | None
    """None: it was not claimed yet."""
    filled_then: Decimal = NOTHING


def state_before_order(
    symbol: Symbol,
    decided_at_ns: int,
    kept: Decimal,
    orders: Iterable[PastOrder],
    decided: Iterable[int],
    *,
    follows_open: bool,
) -> RiskState:
    """Give the state of one symbol just before an order of it.

    `kept` is what all orders of the symbol have filled until now, signed; `orders` are all that
    were open then or have changed since, of every symbol, the order itself among them as not
    claimed yet; `decided` the moments of the symbol's earlier decisions that were not refused.
    Without `follows_open` nobody counted open orders, as in a replay.
    """
    exposure, still_open = kept, dict[OrderKey, OpenOrder]()
    for order in orders:
        then = order.state_then
        is_open = then is not None and then not in FINAL_STATES
        if order.symbol == symbol:
            counted = order.quantity if is_open else order.filled_then
            change = EXACT.subtract(counted if then is not None else NOTHING, order.filled_now)
            exposure = EXACT.add(exposure, order.side.signed(change))
        if is_open:
            still_open[order.order_key] = OpenOrder(
                symbol=order.symbol,
                side=order.side,
                unfilled=EXACT.subtract(order.quantity, order.filled_then),
                strategy_id=order.strategy_id,
            )
    state = RiskState(exposure={symbol: exposure}, open_orders=still_open if follows_open else None)
    recall(symbol, decided, decided_at_ns + 1, state, shown_again=True)
    return state
