"""What our parsers make of the answers of each exchange, through ccxt's own.

Nothing is sent: the answers are those that stand in ccxt's source and in the exchanges' documents.
"""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges import ccxt_client
from exchanges.capabilities import CAPABILITIES, Stream
from exchanges.ccxt_account import questions_of
from exchanges.ccxt_additions import Additions
from exchanges.ccxt_call import current_call, recorded
from exchanges.ccxt_config import constructor_config
from exchanges.ccxt_feed_gate import stream_of
from exchanges.ccxt_gate import GateLimits, pass_gate, refusing
from exchanges.ccxt_lookup import OrderLookup
from exchanges.ccxt_market_rows import trades_of
from exchanges.ccxt_parse import fill_of, market_of, report_of
from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_venue import CcxtVenue
from exchanges.ccxt_watch import PrivateStream, StreamSettings
from exchanges.conditions import Sign, sign_of_question
from exchanges.facts import StreamState, VenueFacts
from exchanges.feed_settings import Channel
from exchanges.outcomes import Answer, Knowledge, judge_cancel, judge_placement, judge_query
from exchanges.rate_budget import RateBudget
from exchanges.responses import response_of
from exchanges.skew import Skew
from exchanges.source import SourceStats
from messages.errors import OutcomeUnknown, VenueRefused
from messages.ids import ClientOrderId, DurationNs
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.test_request_shapes import BTC, client_of, market, order

pytestmark = pytest.mark.slow

OURS = ClientOrderId("wk0000000001")
Reply = tuple[int, Any]


def answering(exchange: str, replies: dict[str, Reply]) -> Any:
    """Give a client whose requests are answered by how their path ends, as if by HTTP."""
    row = CAPABILITIES[exchange]
    plain = client_of(row)
    kind = type("Client", (Additions, type(plain)), {})
    secrets = {"apiKey": "k" * 32, "secret": "c2VjcmV0" * 4, "password": "p", "uid": "1"}
    client = kind({**secrets, "number": str})
    client.budget = RateBudget()
    client.set_markets([market(row)])

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        for path, (status, answer) in replies.items():
            verb, _, end = path.rpartition(" ")
            if url.partition("?")[0].endswith(end) and verb in ("", method):
                if isinstance(answer, Exception):
                    raise answer
                text = json.dumps(answer)
                call = current_call()
                if call is not None:
                    call.requests += 1
                    call.response = response_of(status, {}, text)
                client.last_http_response = text
                told = client.parse_json(text)
                client.handle_errors(status, "", url, method, {}, text, told, headers, body)
                client.handle_http_status_code(status, "", url, method, text)
                return told
        raise AssertionError(f"{method} {url}")

    client.fetch = fetch
    return client


def run(client: Any, question: Callable[[], Any]) -> Any:
    async def ask() -> Any:
        try:
            return await question()
        finally:
            await client.close()

    return asyncio.run(ask())


def report(exchange: str, raw: dict[str, Any], parse: str = "parse_order") -> OrderReport:
    row = CAPABILITIES[exchange]
    client = client_of(row)
    order = getattr(client, parse)(raw, client.market(BTC))
    return report_of(order, evidence="test")


# ------------------------------------------------------------------ what a stream tells


def bitget_event(**changes: str) -> dict[str, Any]:
    """Give an event of ccxt's source, of an order of 1 that is filled in two parts."""
    return {
        "instId": "BTCUSDT",
        "orderId": "1171779081105780739",
        "clientOid": OURS,
        "newSize": "1",
        "price": "50000",
        "orderType": "limit",
        "force": "gtc",
        "side": "buy",
        "fillPrice": "50000",
        "tradeId": "1171779081105780740",
        "baseVolume": "0.4",
        "fillTime": "1715227500000",
        "accBaseVolume": "1",
        "priceAvg": "50000",
        "status": "filled",
        "cTime": "1715227439000",
        "uTime": "1715227500000",
        "feeDetail": [{"feeCoin": "BTC", "fee": "-0.0004"}],
    } | changes


def test_bitgets_stream_tells_the_last_fill_beside_all_of_them() -> None:
    filled = report("bitget", bitget_event(), "parse_ws_order")
    half = report(
        "bitget",
        bitget_event(status="partially_filled", baseVolume="0.2", accBaseVolume="0.6"),
        "parse_ws_order",
    )

    assert (filled.state, filled.filled_quantity) == (OrderState.FILLED, Decimal(1))
    assert (half.state, half.filled_quantity) == (OrderState.PARTIALLY_FILLED, Decimal("0.6"))


KRAKEN = {
    "order_id": "OK4GJX-KSTLS-7DZZO5",
    "cl_ord_id": OURS,
    "order_userref": 0,
    "symbol": BTC,
    "order_qty": 0.005,
    "cum_qty": 0.002,
    "cum_cost": 53.0,
    "avg_price": 26500.0,
    "time_in_force": "GTC",
    "exec_type": "canceled",
    "side": "sell",
    "order_type": "limit",
    "limit_price": 26500.0,
    "order_status": "canceled",
    "fee_usd_equiv": 0.0,
    "timestamp": "2023-09-22T10:33:05.709950Z",
}


def test_krakens_stream_names_our_order_and_what_of_it_was_filled() -> None:
    told = report("kraken", KRAKEN, "parse_ws_order")

    assert told.client_order_id == OURS
    assert (told.state, told.filled_quantity) == (OrderState.CANCELED, Decimal("0.002"))


def test_a_number_of_krakens_user_is_not_our_id() -> None:
    told = report("kraken", {**KRAKEN, "cl_ord_id": None}, "parse_ws_order")

    assert told.client_order_id == ""


def test_a_change_of_krakens_that_names_no_symbol_is_told() -> None:
    client, told = client_of(CAPABILITIES["kraken"]), list[OrderReport | StreamState]()
    row = CAPABILITIES["kraken"]
    stream = PrivateStream(
        client, OrderLookup(client, row), row, StreamSettings(), Random(1), lambda: 1
    )
    stream._tell = told.append
    first = {**KRAKEN, "order_status": "new", "exec_type": "new", "cum_qty": 0}
    ended = {
        name: KRAKEN[name]
        for name in ("timestamp", "order_status", "exec_type", "order_userref", "order_id")
    } | {"cum_qty": 0, "cum_cost": 0}

    for event in (first, ended):
        stream._order(client.parse_ws_order(event))

    states = [(one.client_order_id, one.state) for one in told if isinstance(one, OrderReport)]
    assert states == [(OURS, OrderState.ACCEPTED), (OURS, OrderState.CANCELED)]


def test_htxs_event_of_a_trade_names_our_order() -> None:
    client = client_of(CAPABILITIES["htx"])
    told: list[Any] = []
    socket: Any = type("Socket", (), {"resolve": lambda _s, value, _n: told.extend(value)})()
    trade = {
        "ch": "orders#btcusdt",
        "data": {
            "tradePrice": "50000",
            "tradeVolume": "0.4",
            "tradeId": 301,
            "tradeTime": 1583854188883,
            "aggressor": True,
            "remainAmt": "0.6",
            "execAmt": "0.4",
            "orderId": 27163536,
            "type": "sell-limit",
            "clientOrderId": OURS,
            "orderSource": "spot-api",
            "orderPrice": "50000",
            "orderSize": "1",
            "orderStatus": "partial-filled",
            "symbol": "btcusdt",
            "eventType": "trade",
        },
    }
    client.handle_order(socket, trade)

    read = report_of(told[0], evidence="stream")
    assert (read.client_order_id, read.state) == (OURS, OrderState.PARTIALLY_FILLED)
    assert read.filled_quantity == Decimal("0.4")


def test_kucoins_stream_of_trades_tells_no_fee_so_it_is_not_taken() -> None:
    client = client_of(CAPABILITIES["kucoin"])
    event = {
        "symbol": "BTC-USDT",
        "orderType": "limit",
        "side": "buy",
        "liquidity": "taker",
        "type": "match",
        "orderId": "5efab07953bdea00089965fa",
        "clientOid": OURS,
        "tradeId": "5efab07a4ee4c7000a82d6d9",
        "size": "0.1",
        "filledSize": "0.1",
        "matchSize": "0.1",
        "matchPrice": "50000",
        "price": "50000",
        "status": "match",
        "ts": 1670329987311000000,
    }

    assert client.parse_ws_trade(event)["fee"]["cost"] is None
    assert Stream.MY_TRADES not in CAPABILITIES["kucoin"].streams


# ------------------------------------------------------------------ what an order is


def kucoin_order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "64fccb94ad82310001c35dcf",
        "clientOid": OURS,
        "symbol": "BTC-USDT",
        "opType": "DEAL",
        "type": "limit",
        "side": "sell",
        "price": "50000",
        "size": "1",
        "dealSize": "0.25",
        "dealFunds": "12500",
        "remainSize": "0.75",
        "cancelledSize": "0",
        "fee": "12.5",
        "feeCurrency": "USDT",
        "timeInForce": "GTC",
        "cancelExist": False,
        "createdAt": 1694288788963,
        "active": True,
        "inOrderBook": True,
    } | changes


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, OrderState.PARTIALLY_FILLED),
        ({"active": False, "cancelExist": True}, OrderState.CANCELED),
        ({"active": False, "dealSize": "1"}, OrderState.FILLED),
        ({"cancelExist": True, "cancelledSize": "0.5"}, OrderState.PARTIALLY_FILLED),
        ({"cancelExist": True, "dealSize": "0"}, OrderState.ACCEPTED),
    ],
    ids=["open", "canceled", "filled", "a part canceled", "a part canceled, nothing filled"],
)
def test_an_order_at_kucoin_has_ended_only_when_it_is_not_active(
    changes: dict[str, Any], state: OrderState
) -> None:
    assert report("kucoin", kucoin_order(**changes)).state is state


def gate_order(**changes: str) -> dict[str, Any]:
    return {
        "id": "62364648575",
        "text": "t-" + OURS,
        "create_time": "1626354834",
        "update_time": "1626354834",
        "create_time_ms": "1626354833544",
        "update_time_ms": "1626354833544",
        "status": "closed",
        "currency_pair": "BTC_USDT",
        "type": "limit",
        "account": "spot",
        "side": "buy",
        "amount": "1",
        "price": "50000",
        "time_in_force": "gtc",
        "left": "0",
        "fill_price": "50000",
        "filled_total": "50000",
        "avg_deal_price": "50000",
        "fee": "0.001",
        "fee_currency": "BTC",
        "finish_as": "filled",
    } | changes


@pytest.mark.parametrize(
    ("changes", "state", "filled"),
    [
        ({}, OrderState.FILLED, "1"),
        (
            {"status": "open", "finish_as": "open", "left": "0.5"},
            OrderState.PARTIALLY_FILLED,
            "0.5",
        ),
        ({"status": "cancelled", "finish_as": "ioc", "left": "0.3"}, OrderState.CANCELED, "0.7"),
        ({"status": "cancelled", "finish_as": "fok", "left": "1"}, OrderState.CANCELED, "0"),
        ({"status": "cancelled", "finish_as": "stp", "left": "0.9"}, OrderState.CANCELED, "0.1"),
        ({"event": "finish", "finish_as": "stp", "left": "0.9"}, OrderState.CANCELED, "0.1"),
    ],
    ids=["filled", "open", "ioc", "fok", "own order", "own order, by the stream"],
)
def test_an_order_at_gate_has_ended_however_it_did(
    changes: dict[str, str], state: OrderState, filled: str
) -> None:
    read = report("gate", gate_order(**changes))

    assert (read.state, read.filled_quantity) == (state, Decimal(filled))


def test_what_gate_took_in_its_tokens_is_the_fee() -> None:
    client = client_of(CAPABILITIES["gate"])
    trade = {
        "id": "2876130500",
        "create_time": "1645464610",
        "create_time_ms": "1645464610777.399200",
        "currency_pair": "BTC_USDT",
        "side": "buy",
        "role": "taker",
        "amount": "0.01",
        "price": "50000",
        "order_id": "62364648575",
        "fee": "0",
        "fee_currency": "BTC",
        "point_fee": "0",
        "gt_fee": "0.125",
    }
    fill = fill_of(client.parse_trade(trade))

    assert (fill.fee, fill.fee_currency) == (Decimal("0.125"), "GT")


# ------------------------------------------------------------------ what is asked and answered


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
        settings = CcxtSettings(exchange=exchange, api_key="k", secret="s")
        venue = CcxtVenue(settings, [BTC], rng=Random(1))
        venue._client = client
        venue._facts = VenueFacts(
            exchange=exchange,
            skew_ns=0,
            round_trip_ns=DurationNs(1),
            markets={BTC: market_of(client.market(BTC))},
            capability=row,
            recv_window_ms=0,
        )
        try:
            return await venue.submit(new, lambda: None)
        finally:
            await venue.close()

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

    (fill,), problem = run(client, lambda: lookup._fills(order, BTC))

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
        run(client, lambda: lookup.trades(BTC, 1))


def test_a_question_for_trades_that_reaches_too_far_back_is_not_asked() -> None:
    client = answering("htx", {})
    lookup = OrderLookup(client, CAPABILITIES["htx"])

    with pytest.raises(OutcomeUnknown, match="lists no trades of more than 48 h"):
        run(client, lambda: lookup.trades(BTC, 1))


# ------------------------------------------------------------------ errors


def evidence(exchange: str, status: int, answer: dict[str, Any]) -> Any:
    """Give what is seen of a question that is answered so."""
    client = answering(exchange, {"": (status, answer)})
    client.options |= {"uta": False, "unifiedAccount": False, "hf": True}

    async def ask() -> Any:
        with recorded() as call:
            try:
                await client.fetch_order("1", BTC)
            except Exception as error:
                return call.evidence(error)
            finally:
                await client.close()
        raise AssertionError("no error")

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("exchange", "status", "answer", "knowledge"),
    [
        ("kucoin", 400, {"code": "408000", "msg": "Network timeout"}, Knowledge.UNKNOWN),
        ("mexc", 400, {"code": 513, "msg": "Invalid request, try again"}, Knowledge.UNKNOWN),
        ("mexc", 400, {"code": 603, "msg": "Repeated request"}, Knowledge.UNKNOWN),
        ("gate", 400, {"label": "REPEATED_CREATION", "message": "x"}, Knowledge.UNKNOWN),
        ("gate", 400, {"label": "INTERNAL", "message": "x"}, Knowledge.UNKNOWN),
        ("gate", 400, {"label": "BALANCE_NOT_ENOUGH", "message": "x"}, Knowledge.REJECTED),
        ("gate", 401, {"label": "INVALID_KEY", "message": "x"}, Knowledge.REJECTED),
        ("bitget", 400, {"code": "43012", "msg": "Insufficient balance"}, Knowledge.REJECTED),
        ("kraken", 200, {"error": ["EOrder:Insufficient funds"]}, Knowledge.UNKNOWN),
    ],
)
def test_an_error_at_this_exchange_proves_this(
    exchange: str, status: int, answer: dict[str, Any], knowledge: Knowledge
) -> None:
    assert judge_placement(evidence(exchange, status, answer)).knowledge is knowledge


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("error.getOrder.orderNotExist", Answer.NO_SUCH_ORDER),
        ("There are invalid parameters", Answer.NOTHING),
    ],
)
def test_a_code_of_kucoins_with_two_meanings_is_known_by_its_words(
    message: str, answer: Answer
) -> None:
    seen = evidence("kucoin", 200, {"code": "100001", "msg": message})

    assert judge_query(seen) is answer


@pytest.mark.parametrize(
    ("exchange", "answer"),
    [
        ("mexc", {"code": -2011, "msg": "Unknown order sent."}),
        ("gate", {"label": "ORDER_CANCELLED", "message": "order cancelled"}),
        ("gate", {"label": "ORDER_CLOSED", "message": "order closed"}),
    ],
)
def test_a_cancel_that_found_the_order_gone_was_perhaps_the_second(
    exchange: str, answer: dict[str, Any]
) -> None:
    """The HTTP client repeats a lost DELETE by itself."""
    assert judge_cancel(evidence(exchange, 400, answer)).knowledge is Knowledge.UNKNOWN


def test_a_request_that_is_too_old_for_gate_is_no_sign_of_a_bad_key() -> None:
    seen = evidence("gate", 403, {"label": "REQUEST_EXPIRED", "message": "gap exceeds 60"})

    assert sign_of_question(seen, is_page=False) is Sign.CLOCK


# ------------------------------------------------------------------ what kind of account it is


def learn(exchange: str, replies: dict[str, Reply]) -> dict[str, Any]:
    client = answering(exchange, replies)

    async def ask() -> None:
        for question in questions_of(client, exchange):
            with refusing(exchange, "tell what kind of account it is"):
                await question(client)
        assert not questions_of(client, exchange)

    run(client, ask)
    options: dict[str, Any] = client.options
    return options


LOST = ConnectionResetError("lost")
BUSY = {"code": "429", "msg": "Too Many Requests", "label": "TOO_MANY_REQUESTS"}


@pytest.mark.parametrize(
    ("exchange", "path", "option"),
    [("bitget", "/account/settings", "uta"), ("gate", "/account/detail", "unifiedAccount")],
)
def test_a_lost_answer_is_not_taken_for_the_older_kind_of_account(
    exchange: str, path: str, option: str
) -> None:
    for reply in ((0, LOST), (429, BUSY), (503, {"label": "x", "code": "500", "msg": "x"})):
        with pytest.raises(VenueRefused):
            learn(exchange, {path: reply})

    refused = {"code": "40054", "msg": "x", "label": "FORBIDDEN", "message": "x"}
    newer = {"code": "00000", "msg": "success", "data": {}, "key": {"mode": 2}}
    assert learn(exchange, {path: (400, refused)})[option] is False
    assert learn(exchange, {path: (200, newer)})[option] is True


@pytest.mark.parametrize("is_listed", [True, False])
@pytest.mark.parametrize(
    ("exchange", "path"), [("bitget", "/account/settings"), ("gate", "/account/detail")]
)
def test_the_gate_does_not_pass_before_it_knows_the_kind(
    exchange: str, path: str, is_listed: bool
) -> None:
    balances: Any = [] if exchange == "gate" else {"code": "00000", "data": []}
    client = answering(exchange, {path: (0, LOST), "": (200, balances)})
    if not is_listed:
        client.markets = None

    async def no_skew() -> Skew:
        call = current_call()
        assert call is not None
        call.response = response_of(200, {}, "[1]")
        return Skew(0, DurationNs(1), 1)

    async def ask() -> None:
        settings = CcxtSettings(exchange=exchange)
        row = CAPABILITIES[exchange]
        await pass_gate(client, settings, [BTC], row, GateLimits(), no_skew)

    with pytest.raises(VenueRefused, match="cannot be reached"):
        run(client, ask)


def test_kucoins_kind_of_account_is_asked_for_where_the_markets_were_not() -> None:
    options = learn(
        "kucoin",
        {
            "/hf/accounts/opened": (200, {"code": "200000", "data": True}),
            "/account/mode": (200, {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}}),
        },
    )

    assert (options["hf"], options["uta"]) == (True, False)


def test_a_market_whose_stream_could_not_be_read_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ccxt_client, "find_spec", lambda _: None)

    ccxt_client.check_decoder("kraken")
    with pytest.raises(VenueRefused, match="mexc streams in protobuf, which is not installed"):
        ccxt_client.check_decoder("mexc")


KUCOIN_TRADE = {
    "sequence": "1568787654360",
    "side": "buy",
    "size": "0.0053",
    "price": "9345",
    "time": 1580559434436443257,
}
KUCOIN_EVENT = KUCOIN_TRADE | {
    "symbol": "BTC-USDT",
    "time": "1580559434436443257",
    "type": "match",
    "tradeId": "5e356c4aeefabd62c62a1ece",
}
HTX_TRADE = {
    "amount": 0.0104,
    "trade-id": 102090736910,
    "ts": 1583497692182,
    "id": 10500517034273194594947,
    "price": 9096.05,
    "direction": "sell",
}
HTX_EVENT = {
    "amount": 0.0104,
    "tradeId": 102090736910,
    "ts": 1583497692182,
    "id": 10500517034273194594947,
    "price": 9096.05,
    "direction": "sell",
}
MEXC_TRADE = {
    "a": None,
    "p": "20382.7",
    "q": "0.0438",
    "T": 1678593222456,
    "m": False,
    "M": True,
}
MEXC_EVENT = {"price": "20382.70", "quantity": "0.043800", "tradeType": 1, "time": "1678593222456"}


@pytest.mark.parametrize(
    ("exchange", "by_rest", "by_stream", "parse"),
    [
        ("kucoin", KUCOIN_TRADE, KUCOIN_EVENT, "parse_trade"),
        ("htx", HTX_TRADE, HTX_EVENT, "parse_trade"),
        ("mexc", MEXC_TRADE, MEXC_EVENT, "parse_ws_trade"),
    ],
)
def test_a_trade_has_one_name_by_rest_and_by_the_stream(
    exchange: str, by_rest: dict[str, Any], by_stream: dict[str, Any], parse: str
) -> None:
    client = client_of(CAPABILITIES[exchange])
    client.options |= constructor_config(CcxtSettings(exchange=exchange), None)["options"]
    place = client.market(BTC)
    rows = [client.parse_trade(by_rest, place), getattr(client, parse)(by_stream, place)]

    first, second = trades_of(rows, BTC, SourceStats())

    assert first == second


def test_gates_candles_are_streamed_with_what_was_paid_so_trades_stand_in() -> None:
    client = client_of(CAPABILITIES["gate"])
    event = {
        "t": "1606292580",
        "v": "24516.7",
        "c": "19128.1",
        "h": "19128.1",
        "l": "19128.1",
        "o": "19128.1",
        "n": "1m_BTC_USDT",
        "a": "1.281699",
    }

    assert client.parse_ohlcv(event)[5] == event["v"]
    assert stream_of(client, Channel.CANDLES) is None
    assert stream_of(client, Channel.TRADES) == "watchTrades"
