"""Binance's words for orders, trades and markets. Money is text with eight decimals."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from exchanges.local.candles import Bar
from exchanges.local.filters import Market
from exchanges.local.orders import Order, OrderKind, PublicTrade, Status, Trade
from exchanges.local.refusals import Reason
from messages.ids import NS_PER_MS
from messages.values import Side

Json = dict[str, Any]

TYPES = {
    OrderKind.LIMIT: "LIMIT",
    OrderKind.MARKET: "MARKET",
    OrderKind.POST_ONLY: "LIMIT_MAKER",
}
PREVENTION = "EXPIRE_MAKER"
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
]
REFUSALS: dict[Reason, tuple[int, str]] = {
    Reason.BAD_SYMBOL: (-1121, "Invalid symbol."),
    Reason.MARKET_CLOSED: (-1013, "Market is closed."),
    Reason.DUPLICATE_ID: (-2010, "Duplicate order sent."),
    Reason.BAD_CLIENT_ID: (
        -1100,
        "Illegal characters found in parameter 'newClientOrderId';"
        " legal range is '^[a-zA-Z0-9-_.:/]{1,36}$'.",
    ),
    Reason.INSUFFICIENT_BALANCE: (-2010, "Account has insufficient balance for requested action."),
    Reason.WOULD_TAKE: (-2010, "Order would immediately match and take."),
    Reason.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    Reason.NOT_OPEN: (-2011, "Unknown order sent."),
    Reason.TOO_PRECISE: (-1111, "Parameter '{}' has too much precision."),
    Reason.PRICE_FILTER: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.PERCENT_PRICE: (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    Reason.LOT_SIZE: (-1013, "Filter failure: LOT_SIZE"),
    Reason.NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    Reason.MAX_NUM_ORDERS: (-1013, "Filter failure: MAX_NUM_ORDERS"),
}


def text(number: Decimal) -> str:
    """Write money as Binance does."""
    return f"{number:.8f}"


def ms(ts_ns: int) -> int:
    """Give milliseconds."""
    return ts_ns // NS_PER_MS


def status(order: Order) -> str:
    """Binance's word for where an order stands."""
    return "EXPIRED_IN_MATCH" if order.status is Status.EXPIRED_IN_MATCH else order.status.upper()


def placed(order: Order, trades: Iterable[Trade], market: Market, kind: str) -> Json:
    """The answer to a placement: ``ACK``, ``RESULT`` or ``FULL``."""
    answer: Json = {
        "symbol": market.venue_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": ms(order.ts_created_ns),
    }
    if kind == "ACK":
        return answer
    answer |= _amounts(order) | {"workingTime": ms(order.ts_created_ns)}
    answer["selfTradePreventionMode"] = PREVENTION
    if kind == "FULL":
        answer["fills"] = [_fill(trade) for trade in trades]
    return answer


def canceled(order: Order, market: Market) -> Json:
    """The answer to a cancel: `clientOrderId` is the cancel's own."""
    return {
        "symbol": market.venue_id,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.cancel_id,
        "transactTime": ms(order.ts_updated_ns),
        **_amounts(order),
        "selfTradePreventionMode": PREVENTION,
    }


def queried(order: Order, market: Market) -> Json:
    """An order as every query gives it."""
    return {
        "symbol": market.venue_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        **_amounts(order),
        "stopPrice": text(Decimal(0)),
        "icebergQty": text(Decimal(0)),
        "time": ms(order.ts_created_ns),
        "updateTime": ms(order.ts_updated_ns),
        "isWorking": True,
        "workingTime": ms(order.ts_created_ns),
        "selfTradePreventionMode": PREVENTION,
    }


def my_trade(trade: Trade, market: Market) -> Json:
    """One execution of the account."""
    return {
        "symbol": market.venue_id,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.quote),
        "commission": text(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": ms(trade.ts_ns),
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def public_trade(trade: PublicTrade) -> Json:
    """One execution as everyone sees it."""
    return {
        "id": trade.trade_id,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.price * trade.quantity),
        "time": ms(trade.ts_ns),
        "isBuyerMaker": trade.is_buyer_maker,
        "isBestMatch": True,
    }


def agg_trade(trade: PublicTrade) -> Json:
    """One execution; every trade here is an aggregate of its own."""
    return {
        "a": trade.trade_id,
        "p": text(trade.price),
        "q": text(trade.quantity),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": ms(trade.ts_ns),
        "m": trade.is_buyer_maker,
        "M": True,
    }


def kline(bar: Bar) -> list[Any]:
    """One candle."""
    return [
        bar.open_ms,
        text(bar.open),
        text(bar.high),
        text(bar.low),
        text(bar.close),
        text(bar.volume),
        bar.close_ms,
        text(bar.quote_volume),
        bar.count,
        text(bar.taker_buy_volume),
        text(bar.taker_buy_quote),
        "0",
    ]


def levels(book_side: Iterable[tuple[Decimal, Decimal]]) -> list[list[str]]:
    """Price and quantity of each level."""
    return [[text(price), text(quantity)] for price, quantity in book_side]


def symbol_info(market: Market) -> Json:
    """One symbol of exchangeInfo."""
    return {
        "symbol": market.venue_id,
        "status": "TRADING" if market.is_trading else "BREAK",
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(TYPES.values()),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(market),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": PREVENTION,
        "allowedSelfTradePreventionModes": [PREVENTION],
    }


def _filters(market: Market) -> list[Json]:
    up, down = f"{market.multiplier_up.normalize():f}", f"{market.multiplier_down.normalize():f}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": text(market.min_price),
            "maxPrice": text(market.max_price),
            "tickSize": text(market.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": text(market.min_quantity),
            "maxQty": text(market.max_quantity),
            "stepSize": text(market.step),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": text(Decimal(0)),
            "maxQty": text(market.max_quantity),
            "stepSize": text(Decimal(0)),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": text(market.min_notional),
            "applyMinToMarket": True,
            "maxNotional": text(market.max_notional),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": market.max_num_orders},
    ]


def _amounts(order: Order) -> Json:
    return {
        "price": text(order.price),
        "origQty": text(order.quantity),
        "executedQty": text(order.filled),
        "origQuoteOrderQty": text(order.quote_quantity),
        "cummulativeQuoteQty": text(order.filled_quote),
        "status": status(order),
        "timeInForce": order.time_in_force.upper(),
        "type": TYPES[order.kind],
        "side": order.side.upper(),
    }


def _fill(trade: Trade) -> Json:
    return {
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "commission": text(trade.fee),
        "commissionAsset": trade.fee_asset,
        "tradeId": trade.trade_id,
    }
