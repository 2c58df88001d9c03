"""The shapes of the replies and frames that Binance's documentation shows.

For spot orders without stops, icebergs and lists. A field that the documentation does not have is
as wrong as a missing one.
"""

import re
from collections.abc import Iterator
from typing import Any

MONEY = "money: text with eight decimals"
LEVELS = "levels: price and quantity, as money"
Shape = dict[str, Any]

AMOUNTS: Shape = {
    "price": MONEY,
    "origQty": MONEY,
    "executedQty": MONEY,
    "origQuoteOrderQty": MONEY,
    "cummulativeQuoteQty": MONEY,
    "status": str,
    "timeInForce": str,
    "type": str,
    "side": str,
}
ACK: Shape = {
    "symbol": str,
    "orderId": int,
    "orderListId": int,
    "clientOrderId": str,
    "transactTime": int,
}
RESULT: Shape = ACK | AMOUNTS | {"workingTime": int, "selfTradePreventionMode": str}
FILL: Shape = {
    "price": MONEY,
    "qty": MONEY,
    "commission": MONEY,
    "commissionAsset": str,
    "tradeId": int,
}
FULL: Shape = RESULT | {"fills": [FILL]}
CANCELED: Shape = ACK | AMOUNTS | {"origClientOrderId": str, "selfTradePreventionMode": str}
QUERIED: Shape = (
    {key: kind for key, kind in ACK.items() if key != "transactTime"}
    | AMOUNTS
    | {
        "stopPrice": MONEY,
        "icebergQty": MONEY,
        "time": int,
        "updateTime": int,
        "isWorking": bool,
        "workingTime": int,
        "selfTradePreventionMode": str,
    }
)
MY_TRADE: Shape = {
    "symbol": str,
    "id": int,
    "orderId": int,
    "orderListId": int,
    "price": MONEY,
    "qty": MONEY,
    "quoteQty": MONEY,
    "commission": MONEY,
    "commissionAsset": str,
    "time": int,
    "isBuyer": bool,
    "isMaker": bool,
    "isBestMatch": bool,
}
ACCOUNT: Shape = {
    "makerCommission": int,
    "takerCommission": int,
    "buyerCommission": int,
    "sellerCommission": int,
    "commissionRates": {"maker": MONEY, "taker": MONEY, "buyer": MONEY, "seller": MONEY},
    "canTrade": bool,
    "canWithdraw": bool,
    "canDeposit": bool,
    "brokered": bool,
    "requireSelfTradePrevention": bool,
    "preventSor": bool,
    "updateTime": int,
    "accountType": str,
    "balances": [{"asset": str, "free": MONEY, "locked": MONEY}],
    "permissions": [str],
    "uid": int,
}
REPLACED: Shape = {
    "cancelResult": str,
    "newOrderResult": str,
    "cancelResponse": CANCELED,
    "newOrderResponse": FULL | {"fills": []},
}
DAY: Shape = {
    "symbol": str,
    **dict.fromkeys(
        ("priceChange", "weightedAvgPrice", "prevClosePrice", "lastPrice", "lastQty", "bidPrice",
         "bidQty", "askPrice", "askQty", "openPrice", "highPrice", "lowPrice", "volume",
         "quoteVolume"),
        MONEY,
    ),
    "priceChangePercent": str,
    **dict.fromkeys(("openTime", "closeTime", "firstId", "lastId", "count"), int),
}  # fmt: skip
EXECUTION_REPORT: Shape = {
    **dict.fromkeys("eEgiTtIOW", int),
    **dict.fromkeys("escSofCxXrV", str),
    **dict.fromkeys("qpPFlzLZYQ", MONEY),
    "n": str,
    "N": None,
    "w": bool,
    "m": bool,
    "M": bool,
}
POSITION: Shape = {"e": str, "E": int, "u": int, "B": [{"a": str, "f": MONEY, "l": MONEY}]}
BALANCE_UPDATE: Shape = {"e": str, "E": int, "a": str, "d": MONEY, "T": int}
STREAM_TERMINATED: Shape = {"e": str, "E": int}
SERVER_SHUTDOWN: Shape = {"e": str, "E": int}
TRADE: Shape = {
    **dict.fromkeys("es", str),
    **dict.fromkeys("EtT", int),
    **dict.fromkeys("pq", MONEY),
    **dict.fromkeys("mM", bool),
}
AGG_TRADE: Shape = {
    **dict.fromkeys("es", str),
    **dict.fromkeys("EaflT", int),
    **dict.fromkeys("pq", MONEY),
    **dict.fromkeys("mM", bool),
}
KLINE: Shape = {
    "e": str,
    "E": int,
    "s": str,
    "k": {
        **dict.fromkeys("tTfLn", int),
        **dict.fromkeys("siB", str),
        **dict.fromkeys("ochlvqVQ", MONEY),
        "x": bool,
    },
}
MINI_TICKER: Shape = {"e": str, "E": int, "s": str, **dict.fromkeys("cohlvq", MONEY)}
BOOK_TICKER: Shape = {"u": int, "s": str, **dict.fromkeys("bBaA", MONEY)}
DEPTH_UPDATE: Shape = {
    **dict.fromkeys("es", str),
    **dict.fromkeys("EUu", int),
    **dict.fromkeys("ba", LEVELS),
}
STREAMS: dict[str, tuple[str, Shape]] = {
    "trade": ("trade", TRADE),
    "aggTrade": ("aggTrade", AGG_TRADE),
    "kline_1m": ("kline", KLINE),
    "miniTicker": ("24hrMiniTicker", MINI_TICKER),
    "bookTicker": ("", BOOK_TICKER),
    "depth": ("depthUpdate", DEPTH_UPDATE),
    "depth@100ms": ("depthUpdate", DEPTH_UPDATE),
}
"""What follows the symbol in the name of each market stream that is played; its `e`, and its shape.

The best prices alone have no `e`.
"""


def of_user(event: Shape) -> Shape:
    """An event of the user's stream as the WebSocket API sends it."""
    return {"subscriptionId": int, "event": event}


def of_combined(event: Shape) -> Shape:
    """An event as a combined stream sends it."""
    return {"stream": str, "data": event}


def flaws(value: Any, shape: Any, place: str = "") -> Iterator[str]:
    """Say where a value is not of a shape."""
    if isinstance(shape, dict):
        if not isinstance(value, dict) or set(value) != set(shape):
            yield f"{place}: {sorted(set(value) ^ set(shape))}"
            return
        for key, inner in shape.items():
            yield from flaws(value[key], inner, f"{place}.{key}")
    elif isinstance(shape, list):
        if not isinstance(value, list) or bool(value) != bool(shape):
            yield f"{place}: {value}"
        for item in value:
            yield from flaws(item, shape[0], f"{place}[]")
    elif shape == LEVELS:
        if not isinstance(value, list):
            yield f"{place}: {value!r} is no list of levels"
            return
        for price, quantity in value:
            yield from flaws(price, MONEY, place)
            yield from flaws(quantity, MONEY, place)
    elif shape == MONEY:
        if not isinstance(value, str) or not re.fullmatch(r"-?\d+\.\d{8}", value):
            yield f"{place}: {value!r} is not money"
    elif shape is None:
        if value is not None and not isinstance(value, str):
            yield f"{place}: {value!r}"
    elif type(value) is not shape:
        yield f"{place}: {value!r} is no {shape.__name__}"


def check(value: Any, shape: Any) -> None:
    assert list(flaws(value, shape)) == []
