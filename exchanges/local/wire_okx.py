"""OKX's words for orders, trades and markets. Everything is text, also times and ids."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from exchanges.local.candles import Bar
from exchanges.local.filters import Market
from exchanges.local.orders import Order, OrderKind, PublicTrade, Status, Trade
from exchanges.local.refusals import Reason
from messages.ids import NS_PER_MS
from messages.values import TimeInForce

Json = dict[str, Any]

STATES = {
    Status.NEW: "live",
    Status.PARTIALLY_FILLED: "partially_filled",
    Status.FILLED: "filled",
    Status.CANCELED: "canceled",
    Status.EXPIRED: "canceled",
    Status.EXPIRED_IN_MATCH: "canceled",
}
REFUSALS: dict[Reason, tuple[str, str]] = {
    Reason.BAD_SYMBOL: ("51001", "Instrument ID does not exist."),
    Reason.MARKET_CLOSED: ("51028", "Contract under delivery."),
    Reason.DUPLICATE_ID: ("51016", "Duplicated client order ID."),
    Reason.BAD_CLIENT_ID: ("51000", "Parameter clOrdId error."),
    Reason.INSUFFICIENT_BALANCE: (
        "51008",
        "Order failed. Insufficient balance in the account.",
    ),
    Reason.WOULD_TAKE: ("51000", "Parameter ordType error."),
    Reason.UNKNOWN_ORDER: ("51603", "Order does not exist."),
    Reason.NOT_OPEN: ("51400", "Cancellation failed as the order does not exist."),
    Reason.TOO_PRECISE: ("51000", "Parameter {} error."),
    Reason.PRICE_FILTER: ("51000", "Parameter px error."),
    Reason.PERCENT_PRICE: ("51006", "Order price is not within the price limit."),
    Reason.LOT_SIZE: ("51121", "Order quantity must be a multiple of the lot size."),
    Reason.NOTIONAL: ("51020", "Your order should meet or exceed the minimum order amount."),
    Reason.MAX_NUM_ORDERS: ("51174", "The number of pending orders reached the upper limit."),
}


def text(number: Decimal) -> str:
    """Write a number without zeros that say nothing."""
    return f"{number.normalize():f}"


def ms(ts_ns: int) -> str:
    """Give milliseconds."""
    return str(ts_ns // NS_PER_MS)


def instrument_id(market: Market) -> str:
    """OKX's name for a market."""
    return f"{market.base}-{market.quote}"


def order_type(order: Order) -> str:
    """One word for what Binance says in two."""
    if order.kind is OrderKind.LIMIT and order.time_in_force is not TimeInForce.GTC:
        return order.time_in_force.value
    return order.kind.value


def envelope(data: list[Any], code: str = "0", message: str = "") -> Json:
    """What every answer comes in."""
    return {"code": code, "data": data, "msg": message}


def acknowledged(order_id: str, client_order_id: str, ts_ns: int, said: tuple[str, str]) -> Json:
    """The answer to a placement or a cancel: an id, and nothing of what became of the order."""
    return {
        "clOrdId": client_order_id,
        "ordId": order_id,
        "sCode": said[0],
        "sMsg": said[1],
        "tag": "",
        "ts": ms(ts_ns),
    }


def queried(order: Order, trades: Iterable[Trade], market: Market) -> Json:
    """An order as every query gives it; its fees are negative."""
    fees = list(trades)
    last = fees[-1] if fees else None
    in_quote = bool(order.quote_quantity)
    return {
        "instType": "SPOT",
        "instId": instrument_id(market),
        "ordId": str(order.order_id),
        "clOrdId": order.client_order_id,
        "side": order.side.value,
        "ordType": order_type(order),
        "px": text(order.price) if order.price else "",
        "sz": text(order.quote_quantity if in_quote else order.quantity),
        "tgtCcy": ("quote_ccy" if in_quote else "base_ccy") if not order.price else "",
        "state": STATES[order.status],
        "accFillSz": text(order.filled),
        "avgPx": text(order.filled_quote / order.filled) if order.filled else "",
        "fee": text(-sum((one.fee for one in fees), Decimal(0))) if fees else "0",
        "feeCcy": last.fee_asset if last else market.quote,
        "fillPx": text(last.price) if last else "",
        "fillSz": text(last.quantity) if last else "0",
        "fillTime": ms(last.ts_ns) if last else "",
        "tradeId": str(last.trade_id) if last else "",
        "cancelSource": _cancel_source(order),
        "cTime": ms(order.ts_created_ns),
        "uTime": ms(order.ts_updated_ns),
        "tdMode": "cash",
        "posSide": "net",
        "category": "normal",
        "tag": "",
    }


def _cancel_source(order: Order) -> str:
    """1: by the user; 31: post-only would have taken; 13 and 14: fok and ioc left over."""
    if order.status is Status.CANCELED:
        return "31" if order.kind is OrderKind.POST_ONLY and not order.cancel_id else "1"
    if order.status is Status.EXPIRED:
        return "13" if order.time_in_force is TimeInForce.FOK else "14"
    return ""


def fill(trade: Trade, order: Order, market: Market) -> Json:
    """One execution of the account."""
    return {
        "instType": "SPOT",
        "instId": instrument_id(market),
        "tradeId": str(trade.trade_id),
        "billId": str(trade.trade_id),
        "ordId": str(trade.order_id),
        "clOrdId": order.client_order_id,
        "side": trade.side.value,
        "fillPx": text(trade.price),
        "fillSz": text(trade.quantity),
        "fee": text(-trade.fee),
        "feeCcy": trade.fee_asset,
        "execType": "M" if trade.is_maker else "T",
        "posSide": "net",
        "tag": "",
        "ts": ms(trade.ts_ns),
    }


def execution(trade: Trade | None) -> Json:
    """What an event of the `orders` channel adds; most is empty if it is no execution."""
    if trade is None:
        nothing = ("tradeId", "fillPx", "fillTime", "fillFeeCcy", "execType")
        return dict.fromkeys(nothing, "") | {"fillSz": "0", "fillFee": "0"}
    return {
        "tradeId": str(trade.trade_id),
        "fillPx": text(trade.price),
        "fillSz": text(trade.quantity),
        "fillTime": ms(trade.ts_ns),
        "fillFee": text(-trade.fee),
        "fillFeeCcy": trade.fee_asset,
        "execType": "M" if trade.is_maker else "T",
    }


def public_trade(trade: PublicTrade, market: Market) -> Json:
    """One execution as everyone sees it; its side is the taker's."""
    return {
        "instId": instrument_id(market),
        "tradeId": str(trade.trade_id),
        "px": text(trade.price),
        "sz": text(trade.quantity),
        "side": "sell" if trade.is_buyer_maker else "buy",
        "ts": ms(trade.ts_ns),
    }


def candle(bar: Bar, *, is_closed: bool) -> list[str]:
    """One candle; the last field says whether it is over."""
    amounts = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume)
    return [
        str(bar.open_ms),
        *(text(amount) for amount in amounts),
        text(bar.quote_volume),
        "1" if is_closed else "0",
    ]


def instrument(market: Market) -> Json:
    """One market's rules."""
    return {
        "instType": "SPOT",
        "instId": instrument_id(market),
        "baseCcy": market.base,
        "quoteCcy": market.quote,
        "lotSz": text(market.step),
        "tickSz": text(market.tick),
        "minSz": text(market.min_quantity),
        "maxLmtSz": text(market.max_quantity),
        "maxMktSz": text(market.max_notional),
        "state": "live" if market.is_trading else "suspend",
        "lever": "1",
        "listTime": "1548133413000",
    }
