"""Which limits an order was held to, and what stood against each of them. Pure.

It tells the numbers that `risk.refusal` compares, with the same helpers; it refuses nothing.
"""

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal

import msgspec

from decisions.risk_equity import QuoteEquity
from decisions.risk_limits import RiskLimits, limit_of
from decisions.risk_state import (
    RiskState,
    added_quantity,
    decided_before,
    filled,
    reach,
    sellable,
)
from messages.exact import EXACT, NOTHING
from messages.ids import DAY_NS, NS_PER_MS, quote_of
from messages.orders import OrderIntent
from messages.values import SELL

MARKET_ALONE = ("max_market_age_ms", "max_daily_loss", "max_drawdown")
"""What a ledger cannot tell: these limits are held against the market, too."""
_BPS = Decimal(10_000)
_DIGITS = Decimal("0.0001")


class RiskValue(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison; amounts as text, exact, in the limit's own unit."""

    limit: str
    """Its name in the configuration."""
    value: str
    """Before this order, unless `about` says that it counts."""
    allowed: str
    about: str
    """What the value is of, for a person."""


class RiskView(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate knew of an order, base currency, and what it compared."""

    position: str
    """Filled, signed, over all strategies."""
    adds: str
    """The part of the order that adds risk; 0 is an exit, which few limits hold."""
    open_orders: int | None
    """Over all symbols; None: nobody counted."""
    compared: tuple[RiskValue, ...]


def risk_view(
    intent: OrderIntent,
    limits: RiskLimits,
    state: RiskState,
    mark_price: Decimal | None,
    *,
    knows_market: bool = True,
) -> RiskView:
    """Give it; of limits that are not set nothing is told.

    Without `knows_market` the `MARKET_ALONE` are left out, and the price decided at stands in for
    the mark.
    """
    added = added_quantity(intent, state)
    found = [*_any_order(intent, limits, state, mark_price, added)]
    if added:
        found += _new_risk(intent, limits, state, mark_price, added)
        found += _of_market(intent, limits, state) if knows_market else ()
    return RiskView(
        position=_text(filled(intent.symbol, state)),
        adds=_text(added),
        open_orders=None if state.open_orders is None else len(state.open_orders),
        compared=tuple(found),
    )


def _any_order(
    intent: OrderIntent,
    limits: RiskLimits,
    state: RiskState,
    mark_price: Decimal | None,
    added: Decimal,
) -> Iterator[RiskValue]:
    if not limits.allow_short and intent.side is SELL:
        held = max(sellable(intent.symbol, state), NOTHING)
        text = "to sell, of what this run has bought and not on sale already"
        yield _value("allow_short", intent.quantity, held, text)
    collar = limits.price_collar_bps
    if collar is not None and (intent.limit_price is not None or added):
        price, last = intent.limit_price or intent.reference_price, _last(intent, mark_price)
        exact = EXACT.multiply(abs(EXACT.subtract(price, last)), _BPS) / last
        text = f"{price:f} beside the last price {last:f}"
        yield _value("price_collar_bps", _up(exact), collar, text)
    most = limit_of(limits.max_position_notional, intent.symbol)
    if most is not None and (added or intent.side.signed(filled(intent.symbol, state)) > 0):
        quantity = reach(intent, state)
        price = mark_price or intent.limit_price or intent.reference_price
        text = f"{intent.side.signed(quantity):f} at {price:f}, this order counted"
        value = EXACT.multiply(max(quantity, NOTHING), price)
        yield _value("max_position_notional", value, most, text)


def _new_risk(
    intent: OrderIntent,
    limits: RiskLimits,
    state: RiskState,
    mark_price: Decimal | None,
    added: Decimal,
) -> Iterator[RiskValue]:
    symbol = intent.symbol
    most = limit_of(limits.max_order_notional, symbol)
    if most is not None:
        price = intent.limit_price or intent.reference_price
        if mark_price is not None and intent.limit_price is None:
            price = max(price, mark_price)
        yield _value(
            "max_order_notional", EXACT.multiply(added, price), most, f"{added:f} at {price:f}"
        )
    if state.open_orders is not None:
        here = sum(order.symbol == symbol for order in state.open_orders.values())
        if limits.max_open_orders is not None:
            count = len(state.open_orders)
            yield _value("max_open_orders", count, limits.max_open_orders, "open before it")
        if limits.max_open_orders_per_symbol is not None:
            most_here = limits.max_open_orders_per_symbol
            yield _value("max_open_orders_per_symbol", here, most_here, f"open on {symbol}")
    if limits.max_orders_per_minute is not None:
        count = decided_before(symbol, intent.decided_at_ns, state)
        text = f"decided on {symbol} in the minute before it"
        yield _value("max_orders_per_minute", count, limits.max_orders_per_minute, text)
    last = state.risk_added_at.get(symbol)
    if limits.cooldown_ms and last is not None:
        passed = (intent.decided_at_ns - last) // NS_PER_MS
        text = "since the last that added risk; at least"
        yield _value("cooldown_ms", passed, limits.cooldown_ms, text)


def _of_market(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> Iterator[RiskValue]:
    now_ns = intent.decided_at_ns if state.now_ns is None else state.now_ns
    seen_ns = state.market_at.get(intent.symbol)
    if limits.max_market_age_ms is not None and seen_ns is not None:
        age = -((seen_ns - now_ns) // NS_PER_MS)  # up: what is over the limit is shown to be
        text = "since the last event of the market; ahead of the clock where it is below 0"
        yield _value("max_market_age_ms", age, limits.max_market_age_ms, text)
    quote = quote_of(intent.symbol)
    one = state.equity.quotes.get(quote, QuoteEquity())
    if (most := limits.max_daily_loss.get(quote)) is not None:
        loss = one.day_loss if max(now_ns // DAY_NS, one.day) == one.day else NOTHING
        yield _value("max_daily_loss", loss, most, f"{quote} since 00:00 UTC")
    if (most := limits.max_drawdown.get(quote)) is not None:
        yield _value("max_drawdown", one.drawdown, most, f"{quote} below the peak")


def _last(intent: OrderIntent, mark_price: Decimal | None) -> Decimal:
    return mark_price or intent.reference_price


def _value(limit: str, value: Decimal | int, allowed: Decimal | int, about: str) -> RiskValue:
    return RiskValue(limit=limit, value=_text(value), allowed=_text(allowed), about=about)


def _up(value: Decimal) -> Decimal:
    """Round so that what is over a limit is shown to be."""
    return value.quantize(_DIGITS, ROUND_CEILING)


def _text(amount: Decimal | int) -> str:
    """Give the digits; of nothing, one."""
    return f"{amount:f}" if amount and isinstance(amount, Decimal) else str(int(amount))
