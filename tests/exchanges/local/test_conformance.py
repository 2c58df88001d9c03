"""Every reply and frame, field by field: against Binance's documentation and recordings.

The tables are the payloads that the documentation shows for spot orders without stops,
icebergs and lists. A field that the documentation does not have is as wrong as a missing one.
"""

import gzip
import hashlib
import hmac
import json
import lzma
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from exchanges.local import stream_binance as stream
from exchanges.local.candles import flat_bar
from exchanges.local.depth import Diff
from exchanges.local.filters import Market
from exchanges.local.orders import OrderEvent, PublicTrade
from exchanges.local.server import RunningExchange

MARKET = Market(symbol="BTC/USDT")
ONE, TWO = Decimal(1), Decimal(2)
TRADE = PublicTrade(
    trade_id=7, symbol="BTC/USDT", price=ONE, quantity=TWO, is_buyer_maker=True, ts_ns=0
)

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


@pytest.fixture
def ask(run: RunningExchange) -> Callable[..., Any]:
    """Send a signed request as the documentation writes it, and give status and body."""

    def send(method: str, path: str, **params: Any) -> tuple[int, Any]:
        settings = run.exchange.settings
        query = urlencode(params | {"timestamp": run.exchange.clock.now_ns() // 1_000_000})
        digest = hmac.new(settings.api_secret.encode(), query.encode(), hashlib.sha256)
        request = urllib.request.Request(
            f"{run.urls.http}/api/v3/{path}?{query}&signature={digest.hexdigest()}",
            headers={"X-MBX-APIKEY": settings.api_key},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return send


LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "50000",
}
MARKET_ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}


def test_orders_and_the_account(ask: Callable[..., Any]) -> None:
    check(ask("POST", "order", **MARKET_ORDER)[1], FULL)
    check(ask("POST", "order", **LIMIT)[1], FULL | {"fills": []})
    check(ask("POST", "order", **LIMIT, newOrderRespType="RESULT")[1], RESULT)
    check(ask("POST", "order", **LIMIT, newOrderRespType="ACK")[1], ACK)
    maker = {key: value for key, value in LIMIT.items() if key != "timeInForce"}
    check(ask("POST", "order", **maker | {"type": "LIMIT_MAKER"})[1], ACK)
    check(ask("POST", "order/test", **LIMIT)[1], {})
    check(ask("GET", "openOrders", symbol="BTCUSDT")[1], [QUERIED])
    check(ask("GET", "openOrders")[1], [QUERIED])
    check(ask("GET", "allOrders", symbol="BTCUSDT")[1], [QUERIED])
    check(ask("GET", "order", symbol="BTCUSDT", orderId=2)[1], QUERIED)
    check(ask("DELETE", "order", symbol="BTCUSDT", orderId=2)[1], CANCELED)
    check(ask("GET", "myTrades", symbol="BTCUSDT")[1], [MY_TRADE])
    check(ask("GET", "account")[1], ACCOUNT)
    replace = LIMIT | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 3}
    check(ask("POST", "order/cancelReplace", **replace)[1], REPLACED)
    check(ask("DELETE", "openOrders", symbol="BTCUSDT")[1], [CANCELED])


def test_a_replacement_may_fail_in_part(ask: Callable[..., Any]) -> None:
    ask("POST", "order", **LIMIT)
    replace = LIMIT | {"cancelReplaceMode": "STOP_ON_FAILURE"}
    poor = replace | {"cancelOrderId": 1, "quantity": "100"}
    unknown = replace | {"cancelOrderId": 9}
    filtered = replace | {"cancelOrderId": 1, "price": "50000.001"}

    assert ask("POST", "order/cancelReplace", **filtered) == (
        400,
        {"code": -1013, "msg": "Filter failure: PRICE_FILTER"},
    )
    status, body = ask("POST", "order/cancelReplace", **poor)
    assert (status, body["code"]) == (409, -2021)
    assert (body["data"]["cancelResult"], body["data"]["newOrderResult"]) == ("SUCCESS", "FAILURE")
    assert body["data"]["newOrderResponse"]["code"] == -2010
    status, body = ask("POST", "order/cancelReplace", **unknown)
    assert (status, body["code"], body["data"]["newOrderResult"]) == (400, -2022, "NOT_ATTEMPTED")


def test_market_data(run: RunningExchange, ask: Callable[..., Any]) -> None:
    run.exchange.advance(5)
    public = {"id": int, "price": MONEY, "qty": MONEY, "quoteQty": MONEY, "time": int}
    public |= {"isBuyerMaker": bool, "isBestMatch": bool}
    aggregate = dict.fromkeys("aflT", int) | {"p": MONEY, "q": MONEY, "m": bool, "M": bool}
    best = {"symbol": str, **dict.fromkeys(("bidPrice", "bidQty", "askPrice", "askQty"), MONEY)}
    depth = {"lastUpdateId": int, "bids": LEVELS, "asks": LEVELS}

    check(ask("GET", "ping")[1], {})
    check(ask("GET", "time")[1], {"serverTime": int})
    check(ask("GET", "depth", symbol="BTCUSDT", limit=5)[1], depth)
    check(ask("GET", "trades", symbol="BTCUSDT")[1], [public])
    check(ask("GET", "aggTrades", symbol="BTCUSDT")[1], [aggregate])
    check(ask("GET", "ticker/24hr", symbol="BTCUSDT")[1], DAY)
    check(ask("GET", "ticker/24hr")[1], [DAY])
    check(ask("GET", "ticker/bookTicker", symbol="BTCUSDT")[1], best)
    check(ask("GET", "ticker/bookTicker", symbols='["BTCUSDT","BNBUSDT"]')[1], [best])
    check(ask("GET", "ticker/price", symbol="BTCUSDT")[1], {"symbol": str, "price": MONEY})
    kline = ask("GET", "klines", symbol="BTCUSDT", interval="1m", limit=1)[1][0]
    kinds = [int, *[MONEY] * 5, int, MONEY, int, MONEY, MONEY, str]
    assert [list(flaws(*pair)) for pair in zip(kline, kinds, strict=True)] == [[]] * 12


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": "NOPE"}, -1121),
        ({"symbol": ""}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"type": "STOP_LOSS"}, -1116),
        ({"timeInForce": "GTX"}, -1115),
        ({"timeInForce": ""}, -1102),
        ({"price": ""}, -1102),
        ({"price": "-1"}, -1100),
        ({"price": "1e999"}, -1013),
        ({"quantity": "NaN"}, -1100),
        ({"quantity": "0.010000001"}, -1111),
        ({"newClientOrderId": "a b"}, -1100),
        ({"stopPrice": "1"}, -1104),
        ({"icebergQty": "0.001"}, -1104),
        ({"type": "MARKET"}, -1106),
    ],
)
@pytest.mark.parametrize("path", ["order", "order/test"])
def test_what_is_malformed_has_its_code_and_changes_nothing(
    run: RunningExchange, ask: Callable[..., Any], changes: dict[str, str], code: int, path: str
) -> None:
    status, body = ask("POST", path, **LIMIT | changes)

    assert (status, body["code"]) == (400, code)
    assert run.exchange.orders() == []


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, (200, {})),
        ({"quantity": "100"}, (200, {})),  # what the account has is the engine's to know
        ({"price": "50000.001"}, (400, {"code": -1013, "msg": "Filter failure: PRICE_FILTER"})),
        ({"quantity": "0.00001"}, (400, {"code": -1013, "msg": "Filter failure: NOTIONAL"})),
    ],
)
def test_an_order_that_is_only_checked_meets_the_filters_and_is_forgotten(
    run: RunningExchange,
    ask: Callable[..., Any],
    changes: dict[str, str],
    answer: tuple[int, dict[str, Any]],
) -> None:
    name = {"newClientOrderId": "wk1"}
    before = run.exchange.balances()

    for _ in range(2):
        assert ask("POST", "order/test", **LIMIT | changes | name) == answer
    assert (run.exchange.orders(), run.exchange.balances()) == ([], before)
    (first, _) = run.exchange.requests(operation="test_order", client_order_id="wk1")
    assert first.order_ids == []


def test_a_key_that_may_only_read_may_not_have_an_order_checked(
    run: RunningExchange, ask: Callable[..., Any]
) -> None:
    run.exchange.restrict_key()

    assert ask("GET", "account")[0] == 200
    status, body = ask("POST", "order/test", **LIMIT)
    assert (status, body["code"]) == (401, -2015)


def recorded_json(folder: Path, name: str, marker: str) -> Any:
    """Give the first payload with `marker` of a recording, whichever way it is packed."""
    path = folder / "l2" / name
    unpack: Any = lzma.open if path.suffix == ".xz" else gzip.open
    with unpack(path, "rt") as lines:
        line = next(line for line in lines if marker in line)
    found = json.loads(line[line.index("{") :])
    return found.get("data", found)


def outline(value: Any) -> Any:
    """A value without what it says: its keys, and of what kind each is."""
    if isinstance(value, dict):
        return {key: outline(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [outline(value[0])] if value else []
    return type(value).__name__


RECORDED = [
    (
        "cryptofeed/BINANCE.ws.1.0.xz",
        '"aggTrade"',
        lambda: stream.agg_trade(TRADE, MARKET),
    ),
    (
        "cryptofeed/BINANCE.ws.1.0.xz",
        '"kline"',
        lambda: stream.kline(flat_bar(0, Decimal(1)), MARKET, "1m", 0, is_closed=True),
    ),
    (
        "cryptofeed/BINANCE.ws.1.0.xz",
        '"b":[["0.35170000","4265.00000000"]],"a":[["0.35290000"',
        lambda: stream.depth(Diff(1, 2, {ONE: TWO}, {TWO: ONE}), MARKET, 0),
    ),
    (
        "hftbacktest/spot_btcusdt_20240808.gz",
        '"e":"trade"',
        lambda: stream.trade(TRADE, MARKET),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "marker", "make"), RECORDED, ids=[one[1] for one in RECORDED])
def test_frames_are_as_recorded(
    recorded: Path, name: str, marker: str, make: Callable[[], Any]
) -> None:
    assert outline(make()) == outline(recorded_json(recorded, name, marker))


def test_the_best_prices_and_the_snapshot_are_as_recorded(
    recorded: Path, run: RunningExchange, ask: Callable[..., Any]
) -> None:
    theirs = recorded_json(recorded, "cryptofeed/BINANCE.http.0.0.xz", "lastUpdateId")
    ours = ask("GET", "depth", symbol="BTCUSDT", limit=1000)[1]
    best = recorded_json(recorded, "hftbacktest/spot_btcusdt_20240808.gz", "bookTicker")

    assert outline(ours) == outline(theirs)
    assert outline(best) == dict.fromkeys("sbBaA", "str") | {"u": "int"}


def test_the_listing_has_what_the_recorded_one_has(
    recorded: Path, run: RunningExchange, ask: Callable[..., Any]
) -> None:
    theirs = recorded_json(recorded, "cryptofeed/BINANCE.0.xz", "exchangeInfo")
    ours = ask("GET", "exchangeInfo")[1]
    symbol, recorded_symbol = ours["symbols"][0], theirs["symbols"][0]

    assert set(ours) == set(theirs)
    assert set(recorded_symbol) <= set(symbol)
    for one in symbol["filters"]:
        same = [f for f in recorded_symbol["filters"] if f["filterType"] == one["filterType"]]
        assert all(outline(one) == outline(other) for other in same), one
    assert {one["filterType"] for one in symbol["filters"]} >= {
        "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "PERCENT_PRICE_BY_SIDE",
        "MAX_NUM_ORDERS",
    }  # fmt: skip


def test_what_the_user_hears_is_as_documented(
    run: RunningExchange, ask: Callable[..., Any]
) -> None:
    heard: list[Any] = []
    market = run.exchange.engine.market("BTC/USDT")
    run.exchange.listen(
        lambda effects: heard.extend(
            stream.execution_report(one, market, 5)
            for one in effects.events
            if isinstance(one, OrderEvent)
        )
    )
    ask("POST", "order", **MARKET_ORDER)
    ask("POST", "order", **LIMIT, newClientOrderId="mine")
    ask("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine", newClientOrderId="c1")
    run.exchange.set_liquidity("BTC/USDT", Decimal(0))
    ask("POST", "order", **MARKET_ORDER | {"quantity": "9"})

    for report in heard:
        ended = {"eR": int} if report["X"] == "EXPIRED" else {}
        check(report | {"I": 1}, EXECUTION_REPORT | ended)
    canceled = next(one for one in heard if one["x"] == "CANCELED")
    assert (canceled["c"], canceled["C"]) == ("c1", "mine")
    assert heard[-1]["eR"] == 7
