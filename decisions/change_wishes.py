"""Wishes to end or replace an open order, made into intents: checked, and counted once."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from decisions.managed_orders import decided_quantity
from decisions.order_wishes import in_place_of
from decisions.wish_checks import reason_problem
from messages.errors import BadDecision
from messages.exact import EXACT
from messages.ids import OrderKey, Symbol
from messages.order_changes import Cancel, OrderChange, Replace
from messages.orders import OrderUpdate
from messages.values import OrderState, OrderType, Side, TimeInForce

_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT


class Replacement(msgspec.Struct, frozen=True, gc=False):
    """The decision that a `Replace` comes to; `quantity` is that of both orders."""

    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    reason: str
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing: Decimal | None = None


def order_meant(
    wish: OrderChange, open_orders: Mapping[OrderKey, OrderUpdate] | None
) -> OrderUpdate | None:
    """Give the open order that a wish is of; None where nothing comes of the wish.

    That is where it has ended, or is being replaced, or is to be replaced and nothing was heard of
    it yet: it may wait itself for another one to end.

    Raises:
        BadDecision: the wish is none.
    """
    if open_orders is None:
        raise BadDecision(
            f"gave a {type(wish).__name__}, and its class does not say that it manages its orders:"
            " write manages_orders = True into it"
        )
    if problem := reason_problem(wish.reason):
        raise BadDecision(f"a {type(wish).__name__} with {problem}")
    order = open_orders.get(wish.order)
    is_unheard_of = order is not None and order.state is OrderState.CLAIMED
    return None if is_unheard_of and isinstance(wish, Replace) else order


def replacement(wish: Replace, first: OrderUpdate) -> Replacement:
    """Give the order that takes the place of the first; a caller checks it as any decision."""
    return Replacement(
        side=first.side,
        order_type=_MARKET if wish.limit_price is None else _LIMIT,
        time_in_force=wish.time_in_force,
        quantity=decided_quantity(first) if wish.quantity is None else wish.quantity,
        limit_price=wish.limit_price,
        reason=in_place_of(first.order_key, wish.reason),
        stop_loss=wish.stop_loss,
        take_profit=wish.take_profit,
        trailing=wish.trailing,
    )


def held_without(first: OrderUpdate, positions: Mapping[Symbol, Decimal]) -> Decimal:
    """Give the position as it would be without an order that it counts as filled."""
    held = positions.get(first.symbol, Decimal(0))
    return EXACT.subtract(held, first.side.signed(decided_quantity(first)))


def is_change(wish: Any) -> bool:
    """Whether a strategy wishes something of an order that it has."""
    return isinstance(wish, Cancel | Replace)
