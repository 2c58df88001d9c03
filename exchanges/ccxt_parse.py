"""From ccxt's dictionaries to our messages: pure, exact, and refusing what is not clear.

Numbers come as text (`number = str`), so that a Decimal is made of what the exchange wrote.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from exchanges.ccxt_fees import fee_of
from exchanges.ccxt_numbers import Unclear, milliseconds_ns, name_in, number
from exchanges.facts import AccountTrade, Balance, MarketFacts
from exchanges.protocol import NewOrder
from messages.exact import NOTHING
from messages.ids import ClientOrderId, Symbol, TradeId, VenueOrderId
from messages.orders import Fill, OrderReport
from messages.texts import writable
from messages.values import Instrument, Liquidity, OrderState, OrderType, Side, TimeInForce

Raw = Mapping[str, Any]


_OPEN = frozenset({"open", "canceling", "PENDING_NEW"})
"""The last is Binance's, of a leg that waits for another order; ccxt has no word for it."""
_ENDED = {
    "canceled": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}
_FILLED_WORDS = frozenset({"filled", "full_fill"})
_STATUS_NAMES = ("status", "X", "state", "ordStatus", "orderStatus", "order_status")
_IN_MATCH = "EXPIRED_IN_MATCH"
"""Binance's own word, for which ccxt says no more than that the order has expired."""
_MET_OUR_OWN = "self-trade prevention: it would have traded with another order of this account"
_TIME_IN_FORCE = {TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
"""Good till canceled is what all take where nothing is said; to KuCoin's unified account ccxt sends
none of which it is said."""


def state_of(order: Raw) -> OrderState:
    """Read an order's state; "closed" counts as filled only when all of it is.

    Raises:
        Unclear: the status is missing, or none that ccxt documents.
    """
    status = order.get("status")
    filled, amount = filled_of(order), _amount_of(order)
    if status in _OPEN:
        return OrderState.PARTIALLY_FILLED if filled > NOTHING else OrderState.ACCEPTED
    if status == "closed":
        if not filled and (not amount or _is_called_filled(order)):
            raise Unclear("order status 'closed', and what of it is filled is not told")
        return OrderState.FILLED if amount is None or filled >= amount else OrderState.CANCELED
    if status == "canceled" and _is_active(order):
        return OrderState.PARTIALLY_FILLED if filled > NOTHING else OrderState.ACCEPTED
    if status in _ENDED:
        was_taken = status == "rejected" and filled > NOTHING  # before its rest was given up
        return OrderState.CANCELED if was_taken else _ENDED[status]
    if status and _has_ended(order):
        return OrderState.CANCELED
    raise Unclear(f"order status {status!r}")


def _amount_of(order: Raw) -> Decimal | None:
    """Give what an order is of; ccxt takes what Bitget's unified account has spent for that."""
    own = _own(order)
    is_unified = bool(own.get("cumExecQty") and own.get("qty"))
    return number(own["qty"] if is_unified else order.get("amount"))


def _average_of(order: Raw) -> Decimal | None:
    average = number(order.get("average"))
    own = _own(order)
    return number(own.get("avgPrice") or None) if not average and own.get("cumExecQty") else average


def _own(order: Raw) -> Raw:
    """Give the exchange's own words for it."""
    told = order.get("info")
    return told if isinstance(told, Mapping) else {}


def _is_active(order: Raw) -> bool:
    """Whether the exchange says that an order can still fill: KuCoin's with a part canceled."""
    own = _own(order)
    return True in (own.get("active"), own.get("isActive"))


def _has_ended(order: Raw) -> bool:
    """Whether the exchange's own word says so where ccxt has none: Gate's of a killed FOK."""
    own = _own(order)
    return own.get("status") in ("canceled", "cancelled") or own.get("event") == "finish"


def _is_called_filled(order: Raw) -> bool:
    """Whether the exchange's own word is that all of it is filled; in streams under other names."""
    own = _own(order)
    return any(str(own.get(name)).lower() in _FILLED_WORDS for name in _STATUS_NAMES)


def filled_of(order: Raw) -> Decimal:
    """Give how much of an order is filled, all in all.

    Of two streams ccxt does not say it: Bitget's tells the last fill beside it, Kraken's is passed
    over, but for an order that is filled entirely; there an earlier event's may stand in its place.

    Raises:
        Unclear: it is not a number.
    """
    own, filled = _own(order), number(order.get("filled")) or NOTHING
    if own.get("accBaseVolume") not in (None, ""):
        return number(str(own["accBaseVolume"])) or NOTHING
    if own.get("cum_qty") not in (None, ""):
        return max(number(str(own["cum_qty"])) or NOTHING, filled)
    return filled


def name_of(order: Raw) -> str:
    """Give our id, or nothing where none is told.

    One that no file can hold, which is none of ours, is spelled out. ccxt takes Kraken's number of
    the user for it in streams, HTX's not at all.
    """
    own = _own(order)
    if "order_userref" in own:
        return writable(str(own.get("cl_ord_id") or ""))
    return writable(str(order.get("clientOrderId") or own.get("clientOrderId") or ""))


def report_of(
    order: Raw,
    *,
    evidence: str,
    fills: Iterable[Fill] = (),
    reason: str = "",
    client_order_id: str | None = None,
) -> OrderReport:
    """Make a report of an order; `client_order_id` goes before what the answer calls it.

    Raises:
        Unclear: no id, symbol or status; or names that no ledger can hold.
    """
    named = client_order_id or name_of(order)
    venue_order_id, symbol = name_in(order, "id"), name_in(order, "symbol")
    if not venue_order_id or not symbol:
        raise Unclear("an order without id or symbol")
    filled, average = filled_of(order), _average_of(order)
    told_at = order.get("lastUpdateTimestamp") or order.get("lastTradeTimestamp")
    return OrderReport(
        client_order_id=ClientOrderId(named),
        symbol=Symbol(symbol),
        state=state_of(order),
        venue_order_id=VenueOrderId(venue_order_id),
        filled_quantity=filled,
        average_price=average if filled > NOTHING and average else None,
        fills=tuple(fills),
        reason="; ".join(part for part in (_why_ended(order), reason) if part),
        evidence=evidence,
        ts_event_ns=milliseconds_ns(told_at or order.get("timestamp")),
    )


def as_open(order: Raw) -> dict[str, Any]:
    """Give an order of a list of open ones: it is open, too, by a word that nobody here knows."""
    try:
        state_of(order)
    except Unclear:
        return {**order, "status": "open"}
    return dict(order)


def _why_ended(order: Raw) -> str:
    """Say why the venue itself ended an order, where it tells; in streams under a short name."""
    own = _own(order)
    return _MET_OUR_OWN if _IN_MATCH in (own.get("status"), own.get("X")) else ""


def fill_of(trade: Raw, otherwise_ms: Any = None) -> Fill:
    """Read one execution. A missing fee is 0 of no currency.

    `otherwise_ms`: when it happened, where it does not tell that itself.

    Raises:
        Unclear: no trade id, or no price or quantity above 0.
    """
    price, quantity = number(trade.get("price")), number(trade.get("amount"))
    trade_id = name_in(trade, "id")
    if not trade_id or not price or not quantity or min(price, quantity) < NOTHING:
        raise Unclear("a trade without id, price or quantity")
    fee, fee_currency = fee_of(trade)
    maker = trade.get("takerOrMaker") == "maker"
    return Fill(
        trade_id=TradeId(trade_id),
        price=price,
        quantity=quantity,
        fee=fee,
        fee_currency=fee_currency,
        liquidity=Liquidity.MAKER if maker else Liquidity.TAKER,
        ts_event_ns=milliseconds_ns(trade.get("timestamp") or otherwise_ms),
    )


def own_fills(order: Raw) -> tuple[Fill, ...]:
    """Give the fills that an order's own answer carries, where they can be read at all.

    Binance gives the answer to a placement one time for all that it has filled at once.
    """
    at_ms = order.get("lastTradeTimestamp") or order.get("timestamp")
    try:
        return tuple(fill_of(trade, at_ms) for trade in order.get("trades") or ())
    except Unclear:
        return ()


def trade_of(trade: Raw) -> AccountTrade:
    """Read one of the account's executions.

    Raises:
        Unclear: as `fill_of`, or no side or order id.
    """
    venue_order_id = name_in(trade, "order")
    if trade.get("side") not in ("buy", "sell") or not venue_order_id:
        raise Unclear("a trade without side or order id")
    return AccountTrade(
        symbol=Symbol(str(trade.get("symbol"))),
        side=Side(trade["side"]),
        venue_order_id=VenueOrderId(venue_order_id),
        fill=fill_of(trade),
    )


def balances_of(answer: Raw) -> dict[str, Balance]:
    """Read the balances of an account; currencies of which there is nothing are left out.

    Raises:
        Unclear: an amount is not a number.
    """
    found: dict[str, Balance] = {}
    for currency, free in (answer.get("free") or {}).items():
        used = (answer.get("used") or {}).get(currency)
        balance = Balance(free=number(free) or NOTHING, locked=number(used) or NOTHING)
        if balance.free or balance.locked:
            found[currency] = balance
    return found


def market_of(market: Raw) -> MarketFacts:
    """Read a market's grid and minima. Where there is no minimum it is one step, or 0.

    Raises:
        Unclear: no tick or step, so no order could be exact.
    """
    limits, precision = market.get("limits") or {}, market.get("precision") or {}
    tick, step = number(precision.get("price")), number(precision.get("amount"))
    if not tick or not step:
        raise Unclear(f"{market.get('symbol')} has no price tick or no quantity step")
    amounts, costs = limits.get("amount") or {}, limits.get("cost") or {}
    most = number(amounts.get("max"))
    at_market = number((limits.get("market") or {}).get("max"))
    instrument = Instrument(
        symbol=Symbol(str(market["symbol"])),
        price_tick=tick,
        quantity_step=step,
        min_quantity=number(amounts.get("min")) or step,
        min_notional=number(costs.get("min")) or NOTHING,
        max_market_quantity=min((one for one in (most, at_market) if one), default=None),
    )
    return MarketFacts(
        instrument=instrument,
        base=str(market["base"]),
        quote=str(market["quote"]),
        max_quantity=most,
        maker_fee_rate=_rate(market.get("maker")),
        taker_fee_rate=_rate(market.get("taker")),
    )


def request_of(order: NewOrder) -> tuple[str, str, str, str, str | None, dict[str, str]]:
    """Give the arguments of ccxt's `create_order`, the numbers as plain text.

    A market order goes without a price: with one, ccxt sends what it would cost instead of how
    much it is.
    """
    params = {"clientOrderId": str(order.client_order_id)}
    price = None
    if order.order_type is OrderType.LIMIT and order.limit_price is not None:
        price = plain(order.limit_price)
        if order.time_in_force in _TIME_IN_FORCE:
            params["timeInForce"] = _TIME_IN_FORCE[order.time_in_force]
    return (
        str(order.symbol),
        order.order_type.value,
        order.side.value,
        plain(order.quantity),
        price,
        params,
    )


def plain(value: Decimal) -> str:
    """Write a Decimal without an exponent, which some exchanges refuse."""
    return f"{value:f}"


def off_grid(order: NewOrder, market: MarketFacts) -> str:
    """Say why the order is not one that the venue could take as it is; empty when it is."""
    grid, quantity, price = market.instrument, order.quantity, order.limit_price
    if not (quantity.is_finite() and quantity > NOTHING):
        return f"quantity {quantity} is not more than 0"
    if (order.order_type is OrderType.LIMIT) != (price is not None):
        return "a limit order needs a limit price, and a market order has none"
    if not _is_multiple(quantity, grid.quantity_step):
        return f"quantity {quantity:f} is off the step {grid.quantity_step:f}"
    if quantity < grid.min_quantity:
        return f"quantity {quantity:f} is below the minimum {grid.min_quantity:f}"
    if market.max_quantity and quantity > market.max_quantity:
        return f"quantity {quantity:f} is above the maximum {market.max_quantity:f}"
    if price is None:
        return ""
    if not (price.is_finite() and price > NOTHING and _is_multiple(price, grid.price_tick)):
        return f"limit price {price} is off the tick {grid.price_tick}"
    if quantity * price < grid.min_notional:
        return f"the order is worth {plain(quantity * price)}, less than {grid.min_notional}"
    return ""


def _is_multiple(value: Decimal, unit: Decimal) -> bool:
    try:
        return not value % unit
    except InvalidOperation:
        return False


def _rate(value: Any) -> Decimal | None:
    """Read a fee rate; ccxt writes the static ones as floats, of a few digits."""
    return number(repr(value) if isinstance(value, float) else value)
