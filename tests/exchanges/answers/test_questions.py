"""What is asked of an exchange, and what its answer is taken for."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.absence import Absence
from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_client import close_client
from exchanges.ccxt_conditions import ConditionKeeper
from exchanges.ccxt_lookup import OrderLookup
from exchanges.ccxt_parse import market_of
from exchanges.ccxt_placing import Placing
from exchanges.conditions import Standing
from exchanges.rate_budget import RateBudget
from messages.errors import OutcomeUnknown
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.answers.answering import OURS, Reply, answering, run
from tests.exchanges.test_request_shapes import BTC, order

pytestmark = pytest.mark.slow


def found_at(exchange: str, replies: dict[str, Reply]) -> Any:
    client = answering(exchange, replies)
    return run(client, lambda: OrderLookup(client, CAPABILITIES[exchange]).by_id(OURS, BTC))


def kraken_order(name: str) -> dict[str, Any]:
    return {
        "cl_ord_id": name,
        "userref": None,
        "status": "closed",
        "opentm": 1733815269.370054,
        "closetm": 1733815269.37,
        "descr": {"pair": "BTCUSDT", "type": "buy", "ordertype": "limit", "price": "50000.01"},
        "vol": "0.00123",
        "vol_exec": "0.00123",
        "cost": "61.5",
        "fee": "0.1",
        "price": "50000.0",
        "oflags": "fciq",
    }


def mexc_order(name: str) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "orderId": "C02__413321238354677760000",
        "clientOrderId": name,
        "price": "50000.01",
        "origQty": "0.00123",
        "executedQty": "0.00123",
        "cummulativeQuoteQty": "61.5",
        "status": "FILLED",
        "timeInForce": None,
        "type": "LIMIT",
        "side": "BUY",
        "time": 1733815269370,
        "updateTime": 1733815269370,
    }


def htx_order(name: str) -> dict[str, Any]:
    return {
        "id": 59378,
        "client-order-id": name,
        "symbol": "btcusdt",
        "account-id": 1,
        "amount": "0.00123",
        "price": "50000.01",
        "created-at": 1733815269370,
        "type": "buy-limit",
        "field-amount": "0.00123",
        "field-cash-amount": "61.5",
        "field-fees": "0.1",
        "state": "filled",
    }


def kraken_replies(name: str) -> dict[str, Reply]:
    placed = {"descr": {"order": "buy 0.00123 BTCUSDT @ limit 50000.01"}, "txid": ["O1"]}
    return {
        "/AddOrder": (200, {"error": [], "result": placed}),
        "/QueryOrders": (200, {"error": [], "result": {"O1": kraken_order(name)}}),
    }


def mexc_replies(name: str) -> dict[str, Reply]:
    placed = {"symbol": "BTCUSDT", "orderId": "C02__413321238354677760000", "orderListId": -1}
    return {"POST /order": (200, placed), "GET /order": (200, mexc_order(name))}


def htx_replies(name: str) -> dict[str, Reply]:
    account = {"id": 1, "type": "spot", "subtype": "", "state": "working"}
    return {
        "/account/accounts": (200, {"status": "ok", "data": [account]}),
        "/orders/place": (200, {"status": "ok", "data": "59378"}),
        "/getClientOrder": (200, {"status": "ok", "data": htx_order(name)}),
    }


@pytest.mark.parametrize(
    ("exchange", "replies"),
    [("kraken", kraken_replies), ("mexc", mexc_replies), ("htx", htx_replies)],
)
def test_an_order_that_is_answered_with_an_id_alone_is_asked_for_at_once(
    exchange: str, replies: Callable[[str], dict[str, Reply]]
) -> None:
    row = CAPABILITIES[exchange]
    new = order(row)

    async def submit(name: str) -> OrderReport:
        client = answering(exchange, replies(name))
        markets, standing = {BTC: market_of(client.market(BTC))}, Standing()
        placing = Placing(
            client,
            row,
            RateBudget(),
            Absence(row, 0, time.time_ns),
            ConditionKeeper(
                client, exchange, markets, standing, time.monotonic_ns, print, lambda: None
            ),
            lambda: markets,
            OrderLookup(client, row, lambda *_: None),
            utc_ns=time.time_ns,
            monotonic_ns=time.monotonic_ns,
        )
        try:
            return await placing.submit(new, lambda: None)
        finally:
            await close_client(client)

    told = asyncio.run(submit(new.client_order_id))
    assert (told.state, told.filled_quantity) == (OrderState.FILLED, new.quantity)
    assert told.client_order_id == new.client_order_id
    with pytest.raises(OutcomeUnknown):
        asyncio.run(submit("wkanother"))


@pytest.mark.parametrize(
    ("exchange", "path", "status", "answer"),
    [
        ("bitget", "/orderInfo", 200, {"code": "00000", "msg": "success", "data": []}),
        ("kucoin", f"/client-order/{OURS}", 200, {"code": "400100", "msg": "order not exist."}),
        ("mexc", "/order", 400, {"code": -2013, "msg": "Order does not exist."}),
        (
            "htx",
            "/getClientOrder",
            200,
            {"status": "error", "err-code": "base-record-invalid", "err-msg": "x", "data": None},
        ),
    ],
)
def test_an_order_that_is_not_there_is_said_to_be_none(
    exchange: str, path: str, status: int, answer: dict[str, Any]
) -> None:
    others = {
        "/account/settings": (400, {"code": "40054", "msg": "no"}),
        "/account/mode": (200, {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}}),
    }

    assert found_at(exchange, {path: (status, answer), **others}) is None


def test_krakens_fills_are_seen_though_ccxt_cannot_list_those_of_an_order() -> None:
    trade = {
        "ordertxid": "OQRPN2-LRHFY-HIFA7D",
        "pair": "BTCUSDT",
        "time": 1710429248.3052235,
        "type": "sell",
        "ordertype": "limit",
        "price": "50000",
        "cost": "50",
        "fee": "0.13",
        "vol": "0.001",
        "maker": True,
    }
    answer = {"error": [], "result": {"trades": {"TIMIRG-WUNNE-RRJ6GT": trade}, "count": 1}}
    client = answering("kraken", {"/TradesHistory": (200, answer)})
    order = {"id": "OQRPN2-LRHFY-HIFA7D", "filled": "0.001", "timestamp": 1710429248000}
    lookup = OrderLookup(client, CAPABILITIES["kraken"])

    (fill,), problem = run(client, lambda: lookup.executions.of(order, BTC))

    assert (fill.quantity, fill.fee, fill.fee_currency) == (
        Decimal("0.001"),
        Decimal("0.13"),
        "USDT",
    )
    assert not problem


def kraken_trades(count: int, pair: str) -> Reply:
    trades = {
        f"T{number}": {
            "ordertxid": "O1",
            "pair": pair,
            "time": 1710429248.5 + number,
            "type": "sell",
            "price": "1",
            "cost": "1",
            "fee": "0",
            "vol": "1",
        }
        for number in range(count)
    }
    return 200, {"error": [], "result": {"trades": trades, "count": 9760}}


@pytest.mark.parametrize("pair", ["BTCUSDT", "ETHUSDT"])
def test_a_full_page_of_krakens_newest_trades_is_not_all_of_them(pair: str) -> None:
    client = answering("kraken", {"/TradesHistory": kraken_trades(50, pair)})
    lookup = OrderLookup(client, CAPABILITIES["kraken"])

    with pytest.raises(OutcomeUnknown, match="too_many"):
        run(client, lambda: lookup.executions.since(BTC, 1))


def test_a_question_for_trades_that_reaches_too_far_back_is_not_asked() -> None:
    client = answering("htx", {})
    lookup = OrderLookup(client, CAPABILITIES["htx"])

    with pytest.raises(OutcomeUnknown, match="lists no trades of more than 48 h"):
        run(client, lambda: lookup.executions.since(BTC, 1))


def test_an_answer_that_is_nothing_at_all_is_not_that_there_is_no_such_order() -> None:
    """A library that gives nothing back has not been told by the exchange that nothing is there."""
    client = answering("binance", {})

    async def nothing(*_: object) -> None:
        return None

    client.fetch_order = nothing
    lookup = OrderLookup(client, CAPABILITIES["binance"])

    with pytest.raises(OutcomeUnknown, match="the reply is empty; ask again"):
        run(client, lambda: lookup.by_id(OURS, BTC))
