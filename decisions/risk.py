"""May this order be claimed? Limits in Decimal, on the market's clock, each refusal with a reason.

A refusal is a small struct: a code for machines and a sentence for people.
"""

from collections import deque
from decimal import Decimal

import msgspec

from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.orders import OrderIntent
from messages.values import OrderType, Side

_MINUTE_NS = 60 * NS_PER_S
_LARGEST = Decimal(10) ** 15
_SMALLEST = Decimal(10) ** -18
_NOTHING = Decimal(0)


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account may do; None is no limit. Notionals in quote currency."""

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    """Per symbol, long or short, with every open order counted as filled."""
    max_orders_per_minute: int | None = None
    """Per symbol, in any 60 s of the market's clock."""


class RiskState(msgspec.Struct, kw_only=True):
    """What was let through so far. Rebuilt from the ledger when the executor starts."""

    exposure: dict[Symbol, Decimal] = msgspec.field(default_factory=dict)
    """Base currency, signed: filled quantity and what is still open, as if it filled."""
    decided: dict[Symbol, deque[TimestampNs]] = msgspec.field(default_factory=dict)
    """When the orders of the last minute were decided, oldest first."""
    unsettled: set[Symbol] = msgspec.field(default_factory=set)
    """Symbols with an order whose outcome is unknown: no new risk on them."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order was not claimed."""

    code: str
    text: str


def refusal(
    intent: OrderIntent, limits: RiskLimits, state: RiskState, mark_price: Decimal | None
) -> Refusal | None:
    """Give the first reason against an order, or None. Changes nothing.

    A position is valued at `mark_price`, without one at the order's own price. An order that
    brings |exposure| down is never refused for the position or for an unknown outcome.
    """
    return (
        _unusable(intent, mark_price)
        or _order_too_large(intent, limits, mark_price)
        or _adds_risk(intent, limits, state, mark_price)
        or _too_many(intent, limits, state)
    )


def accept(intent: OrderIntent, state: RiskState) -> None:
    """Count an order that is claimed: its exposure, and its place in the last minute."""
    symbol = intent.symbol
    before = state.exposure.get(symbol, _NOTHING)
    state.exposure[symbol] = before + intent.side.sign * intent.quantity
    recent = state.decided.setdefault(symbol, deque())
    recent.append(intent.decided_at_ns)
    while recent[0] <= intent.decided_at_ns - _MINUTE_NS:
        recent.popleft()


def release(symbol: Symbol, side: Side, unfilled: Decimal, state: RiskState) -> None:
    """Give back what an order that ended will never fill (it stays in the last minute)."""
    before = state.exposure.get(symbol, _NOTHING)
    state.exposure[symbol] = before - side.sign * unfilled


def _unusable(intent: OrderIntent, mark_price: Decimal | None) -> Refusal | None:
    if not _is_sane(intent.quantity):
        return Refusal(code="invalid_quantity", text=f"{intent.quantity} is no quantity to trade")
    prices = [intent.reference_price]
    if intent.limit_price is not None:
        prices.append(intent.limit_price)
    if mark_price is not None:
        prices.append(mark_price)
    for price in prices:
        if not _is_sane(price):
            return Refusal(code="invalid_price", text=f"{price} is no price to trade at")
    if (intent.order_type is OrderType.LIMIT) != (intent.limit_price is not None):
        text = f"a {intent.order_type} order with the limit price {intent.limit_price}"
        return Refusal(code="invalid_price", text=text)
    return None


def _is_sane(number: Decimal) -> bool:
    return number.is_finite() and _SMALLEST <= number <= _LARGEST


def _order_too_large(
    intent: OrderIntent, limits: RiskLimits, mark_price: Decimal | None
) -> Refusal | None:
    limit = limits.max_order_notional
    if limit is None:
        return None
    price = intent.limit_price or max(intent.reference_price, mark_price or _NOTHING)
    if intent.quantity * price <= limit:
        return None
    text = f"{intent.quantity} at {price} is more than {limit} for one order"
    return Refusal(code="max_order_notional", text=text)


def _adds_risk(
    intent: OrderIntent, limits: RiskLimits, state: RiskState, mark_price: Decimal | None
) -> Refusal | None:
    before = state.exposure.get(intent.symbol, _NOTHING)
    after = before + intent.side.sign * intent.quantity
    if abs(after) < abs(before):
        return None
    if intent.symbol in state.unsettled:
        text = f"an order on {intent.symbol} has an unknown outcome"
        return Refusal(code="unknown_outcome", text=text)
    limit = limits.max_position_notional
    price = mark_price or intent.limit_price or intent.reference_price
    if limit is None or abs(after) * price <= limit:
        return None
    text = f"a position of {after} at {price} is more than {limit}"
    return Refusal(code="max_position_notional", text=text)


def _too_many(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> Refusal | None:
    limit = limits.max_orders_per_minute
    if limit is None:
        return None
    since = intent.decided_at_ns - _MINUTE_NS
    count = sum(decided > since for decided in state.decided.get(intent.symbol, ()))
    if count < limit:
        return None
    text = f"{count} orders on {intent.symbol} within a minute; {limit} are allowed"
    return Refusal(code="max_orders_per_minute", text=text)
