"""May this order be claimed? Limits in Decimal, each refusal with a code and a sentence.

Being unable to leave is the greater risk. So an exit, an order that only brings |exposure|
down, is refused for three reasons alone: it is unusable; it is a limit order off the collar;
or it enlarges what is filled already, trusting that an open order against it will fill, and
would be over the position limit if that never does. The part of an order that turns the
position around is new risk like any other.

An exit of which nothing is held is none: it is refused too (`fit_exit`).

At a real spot venue two more reasons hold for any order: the venue would surely refuse it, or
it sells what this run has not bought or has on sale already.

What adds risk is refused, in this order, when it is unusable, off the collar, too large, on a
symbol with an unknown outcome, over the position limit, after a loss limit was reached, on a
market that is too old, or over the open orders, the order rate or the cooldown.
"""

from collections.abc import Callable
from decimal import Decimal

from decisions.risk_equity import reached_limits
from decisions.risk_exit import fit_exit, nothing_held
from decisions.risk_grid import off_grid
from decisions.risk_limits import Refusal, RiskLimits, limit_of
from decisions.risk_state import (
    OpenOrder,
    RiskState,
    accept,
    added_quantity,
    decided_before,
    filled,
    follow_order,
    free_to_leave,
    reach,
    recall,
    release,
    saw_fill,
    saw_market,
    sellable,
    write_off,
)
from messages.exact import EXACT, NOTHING, is_sane
from messages.ids import NS_PER_MS, TimestampNs, quote_of
from messages.orders import OrderIntent
from messages.values import SELL, OrderType

__all__ = [
    "OpenOrder",
    "Refusal",
    "RiskLimits",
    "RiskState",
    "accept",
    "fit_exit",
    "follow_order",
    "recall",
    "refusal",
    "release",
    "saw_fill",
    "saw_market",
    "write_off",
]

_BPS = Decimal(10_000)
_LIMIT = OrderType.LIMIT


def refusal(
    intent: OrderIntent, limits: RiskLimits, state: RiskState, mark_price: Decimal | None
) -> Refusal | None:
    """Give the first reason against an order, or None. Changes nothing.

    `mark_price` is the last price of the symbol. Give None where there is none, and in a replay
    that runs ahead: there the mark may be later than the decision, and the price that was
    decided at stands in for it. A mark that makes no sense holds no exit back.
    """
    unusable = nothing_held(intent) or _unusable(intent)
    if unusable is not None:
        return unusable
    added = added_quantity(intent, state)
    if mark_price is not None and not is_sane(mark_price):
        if added:
            return _no_price(mark_price)
        mark_price = None
    grid, no_collar = state.instruments.get(intent.symbol), limits.price_collar_bps is None
    # What is not limited is not asked: a backtest judges many orders, and most limits are not set.
    return (
        (None if grid is None else off_grid(intent, grid, added))
        or (None if limits.allow_short else _not_held(intent, limits, state))
        or (None if no_collar else _off_the_collar(intent, limits, mark_price, added))
        or (_order_too_large(intent, limits, mark_price, added) if added else None)
        or (_unknown_outcome(intent, state) if added and state.unsettled else None)
        or _position_too_large(intent, limits, state, mark_price, added)
        or (_first(_NEW_RISK, intent, limits, state) if added else None)
    )


Check = Callable[[OrderIntent, RiskLimits, RiskState], Refusal | None]


def _first(
    checks: tuple[Check, ...], intent: OrderIntent, limits: RiskLimits, state: RiskState
) -> Refusal | None:
    for check in checks:
        if no := check(intent, limits, state):
            return no
    return None


# ---------------------------------------------------------------- any order


def _unusable(intent: OrderIntent) -> Refusal | None:
    if not is_sane(intent.quantity):
        return Refusal(code="invalid_quantity", text=f"{intent.quantity} is no quantity to trade")
    limit_price = intent.limit_price
    if not is_sane(intent.reference_price):
        return _no_price(intent.reference_price)
    if limit_price is not None and not is_sane(limit_price):
        return _no_price(limit_price)
    if (intent.order_type is _LIMIT) != (limit_price is not None):
        text = f"a {intent.order_type} order with the limit price {limit_price}"
        return Refusal(code="invalid_price", text=text)
    return None


def _no_price(price: Decimal) -> Refusal:
    return Refusal(code="invalid_price", text=f"{price} is no price to trade at")


def _not_held(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> Refusal | None:
    """A sell of what this run has bought passes; at a spot account the rest is not its own."""
    if limits.allow_short or intent.side is not SELL:
        return None
    held = max(sellable(intent.symbol, state), NOTHING)
    if intent.quantity <= held:
        return _not_its_own(intent, state)
    text = (
        f"{intent.quantity:f} to sell, and of what this run has bought {held:f} is filled and not"
        " on sale already; the rest would be coins that it did not buy ([risk] allow_short)"
    )
    return Refusal(code="no_position", text=text)


def _not_its_own(intent: OrderIntent, state: RiskState) -> Refusal | None:
    """What a strategy leaves before it has filled would be another strategy's coins."""
    if not intent.leaves or state.open_orders is None:
        return None
    own = free_to_leave(intent.strategy_id, intent.symbol, intent.side, state)
    if intent.leaves <= own:
        return None
    text = (
        f"{intent.leaves:f} to leave, and of what its strategy has bought {own:f} is filled and not"
        " on sale already; the rest would be another strategy's coins"
    )
    return Refusal(code="no_position", text=text)


def _off_the_collar(
    intent: OrderIntent, limits: RiskLimits, mark_price: Decimal | None, added: Decimal
) -> Refusal | None:
    """A limit order by its limit; a market order, unless an exit, by the price decided at."""
    limit = limits.price_collar_bps
    if limit is None or (intent.limit_price is None and not added):
        return None
    price = intent.limit_price or intent.reference_price
    last = mark_price or intent.reference_price
    distance = EXACT.multiply(abs(EXACT.subtract(price, last)), _BPS)
    if distance <= EXACT.multiply(limit, last):
        return None
    bps = f"{distance / last:.1f} bps"
    text = f"{price:f} is {bps} from the last price {last:f}; {limit:f} are allowed"
    return Refusal(code="price_collar_bps", text=text)


def _position_too_large(
    intent: OrderIntent,
    limits: RiskLimits,
    state: RiskState,
    mark_price: Decimal | None,
    added: Decimal,
) -> Refusal | None:
    """Judge what the position could become, but not where the order only makes it smaller.

    That needs no limit: what it could turn into is at most what the orders against it were let
    through for.
    """
    limit = limit_of(limits.max_position_notional, intent.symbol)
    if limit is None or (not added and intent.side.signed(filled(intent.symbol, state)) <= 0):
        return None
    quantity = reach(intent, state)
    price = mark_price or intent.limit_price or intent.reference_price
    if quantity <= 0 or EXACT.multiply(quantity, price) <= limit:
        return None
    text = f"a position of {intent.side.signed(quantity):f} at {price:f} is more than {limit:f}"
    return Refusal(code="max_position_notional", text=text)


# ---------------------------------------------------------------- new risk only


def _order_too_large(
    intent: OrderIntent, limits: RiskLimits, mark_price: Decimal | None, added: Decimal
) -> Refusal | None:
    """Only the part that adds risk is counted: turning around is leaving and entering."""
    limit = limit_of(limits.max_order_notional, intent.symbol)
    if limit is None:
        return None
    price = intent.limit_price or intent.reference_price
    if mark_price is not None and intent.limit_price is None:
        price = max(price, mark_price)
    if EXACT.multiply(added, price) <= limit:
        return None
    text = f"{added:f} at {price:f} is more than {limit:f} for one order"
    return Refusal(code="max_order_notional", text=text)


def _unknown_outcome(intent: OrderIntent, state: RiskState) -> Refusal | None:
    if intent.symbol not in state.unsettled:
        return None
    text = f"an order on {intent.symbol} has an unknown outcome"
    return Refusal(code="unknown_outcome", text=text)


def _lost_too_much(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> Refusal | None:
    if not (limits.max_daily_loss or limits.max_drawdown):
        return None
    quote, now_ns = quote_of(intent.symbol), _clock(intent, state)
    for reached in reached_limits(limits, state.equity, quote, now_ns):
        return Refusal(code=reached.code, text=reached.text)
    return None


def _market_too_old(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> Refusal | None:
    """An event from the future is no evidence of a fresh market: one of two clocks is wrong."""
    limit_ms = limits.max_market_age_ms
    if limit_ms is None:
        return None
    last = state.market_at.get(intent.symbol)
    if last is None:
        text = f"nothing was seen of the market of {intent.symbol} yet"
        return Refusal(code="max_market_age_ms", text=text)
    age_ns = _clock(intent, state) - last
    if abs(age_ns) <= limit_ms * NS_PER_MS:
        return None
    age_ms = age_ns / NS_PER_MS
    when = f"{age_ms:.0f} ms old" if age_ms > 0 else f"{-age_ms:.0f} ms ahead of the clock"
    text = f"the last event of {intent.symbol} is {when}; {limit_ms} are allowed"
    return Refusal(code="max_market_age_ms", text=text)


def _too_many_open(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> Refusal | None:
    everywhere, here = limits.max_open_orders, limits.max_open_orders_per_symbol
    if everywhere is None and here is None:
        return None
    if state.open_orders is None:
        text = "how many orders are open is not known, and a limit on them is set"
        return Refusal(code="max_open_orders", text=text)
    count = len(state.open_orders)
    if everywhere is not None and count >= everywhere:
        text = f"{count} orders are open; {everywhere} are allowed"
        return Refusal(code="max_open_orders", text=text)
    count = sum(order.symbol == intent.symbol for order in state.open_orders.values())
    if here is not None and count >= here:
        text = f"{count} orders are open on {intent.symbol}; {here} are allowed"
        return Refusal(code="max_open_orders_per_symbol", text=text)
    return None


def _too_many(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> Refusal | None:
    limit = limits.max_orders_per_minute
    if limit is None:
        return None
    if len(state.decided.get(intent.symbol, ())) < limit:
        return None
    count = decided_before(intent.symbol, intent.decided_at_ns, state)
    if count < limit:
        return None
    text = f"{count} orders on {intent.symbol} within a minute; {limit} are allowed"
    return Refusal(code="max_orders_per_minute", text=text)


def _too_soon(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> Refusal | None:
    last = state.risk_added_at.get(intent.symbol)
    if last is None or not limits.cooldown_ms:
        return None
    passed_ns = intent.decided_at_ns - last
    if passed_ns >= limits.cooldown_ms * NS_PER_MS:
        return None
    text = (
        f"{passed_ns / NS_PER_MS:.0f} ms after the last order that added risk on {intent.symbol}; "
        f"{limits.cooldown_ms} must pass"
    )
    return Refusal(code="cooldown_ms", text=text)


def _clock(intent: OrderIntent, state: RiskState) -> TimestampNs:
    return intent.decided_at_ns if state.now_ns is None else state.now_ns


_NEW_RISK: tuple[Check, ...] = (
    _lost_too_much,
    _market_too_old,
    _too_many_open,
    _too_many,
    _too_soon,
)
