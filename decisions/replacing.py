"""An order in the place of another: what is left to send once the first has ended. Pure."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from decisions.order_like import OrderLike
from decisions.risk_exit import done_by
from decisions.risk_limits import Refusal
from decisions.risk_state import RiskState, follow_order, release
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategyId, Symbol
from messages.order_states import FINAL_STATES
from messages.orders import OrderIntent
from messages.values import OrderState, Side

NOT_REPLACED = "not_replaced"
"""The code of a decision whose order could not take the place of the first."""


FirstOrder = OrderLike
"""What the ledger knows of the order that is to be replaced."""


class First(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A `FirstOrder` as a value."""

    order_key: OrderKey
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    state: OrderState
    quantity: Decimal
    filled_quantity: Decimal
    decided_quantity: Decimal | None = None
    reason: str = ""


NO_FIRST: Mapping[OrderKey, FirstOrder] = {}


def why_not(intent: OrderIntent, first: FirstOrder | None) -> Refusal | None:
    """Refuse what can never take the place of the order that it names."""
    if first is None:
        return not_replaced(f"the ledger has no order {intent.replaces}")
    of_both = (intent.strategy_id, intent.symbol, intent.side)
    if of_both != (first.strategy_id, first.symbol, first.side):
        return not_replaced(
            f"{first.order_key} is a {first.side} of {first.symbol} by {first.strategy_id}, and an"
            " order takes the place of one of its own strategy, symbol and side alone"
        )
    return None


def not_replaced(text: str) -> Refusal:
    """Say why an order does not take the place of another."""
    return Refusal(code=NOT_REPLACED, text=text)


def has_ended(first: FirstOrder) -> bool:
    """Whether nothing of it can fill any more."""
    return first.state in FINAL_STATES


def rest_of(intent: OrderIntent, first: FirstOrder) -> OrderIntent:
    """Give the order for what the first has not filled; of quantity 0 when that is nothing.

    Of an exit that has filled, what fees had taken of it is nobody's to sell any more.
    """
    filled = done_by(first)
    if not filled:
        return intent
    return msgspec.structs.replace(
        intent,
        quantity=max(EXACT.subtract(intent.quantity, filled), NOTHING),
        leaves=max(EXACT.subtract(intent.leaves, filled), NOTHING),
        reason=f"{intent.reason}; {filled.normalize():f} of it is filled already",
    )


def all_filled(intent: OrderIntent, first: FirstOrder) -> Refusal:
    """Say that there is nothing left to send."""
    filled, wanted = done_by(first), intent.quantity
    return not_replaced(f"{filled} of {wanted} were filled before {first.order_key} ended")


def without(first: FirstOrder, state: RiskState) -> RiskState:
    """Give what the risk gate would know if the first had ended now; `state` does not change."""
    held_back = None if state.open_orders is None else dict(state.open_orders)
    after = msgspec.structs.replace(
        state,
        exposure=dict(state.exposure),
        held_by=dict(state.held_by),
        open_orders=held_back,
    )
    unfilled = EXACT.subtract(first.quantity, first.filled_quantity)
    release(first.symbol, first.side, unfilled, after, first.strategy_id)
    follow_order(first.order_key, first.symbol, first.side, NOTHING, after)
    return after
