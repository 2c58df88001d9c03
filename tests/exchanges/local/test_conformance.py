"""Every reply and frame, field by field, against Binance's documentation."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exchanges.local import stream_binance as stream
from exchanges.local.orders import OrderEvent
from exchanges.local.server import RunningExchange
from tests.exchanges.local.documented import (
    ACCOUNT,
    ACK,
    CANCELED,
    DAY,
    EXECUTION_REPORT,
    FULL,
    LEVELS,
    MONEY,
    MY_TRADE,
    QUERIED,
    REPLACED,
    RESULT,
    check,
    flaws,
)

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
