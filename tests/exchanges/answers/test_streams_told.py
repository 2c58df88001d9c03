"""What a stream of the account tells of an order, exchange by exchange."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.capabilities import CAPABILITIES, Stream
from exchanges.ccxt_config import constructor_config
from exchanges.ccxt_lookup import OrderLookup
from exchanges.ccxt_parse import report_of
from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_watch import PrivateStream, StreamSettings
from exchanges.facts import StreamState
from exchanges.rest_answers import RestAnswers
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.answers.answering import OURS, report, run
from tests.exchanges.test_request_shapes import BTC, Asked, client_of

pytestmark = pytest.mark.slow


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


BITGET_UNIFIED = {
    "category": "spot",
    "symbol": "BTCUSDT",
    "orderId": "1",
    "clientOid": OURS,
    "price": "",
    "qty": "0.001",
    "amount": "1000",
    "orderType": "market",
    "timeInForce": "gtc",
    "side": "sell",
    "cumExecQty": "0.001",
    "cumExecValue": "83.1315",
    "avgPrice": "83131.5",
    "orderStatus": "filled",
    "feeDetail": [{"feeCoin": "USDT", "fee": "0.0332526"}],
    "createdTime": "1742367838101",
    "updatedTime": "1742367838115",
}


@pytest.mark.parametrize("parse", ["parse_order", "parse_ws_order"])
@pytest.mark.parametrize("kind", ["market", "limit"])
def test_an_order_of_bitgets_unified_account_is_filled_when_all_of_it_is(
    kind: str, parse: str
) -> None:
    """For the quantity of some ccxt takes what they have brought, of which too little is filled."""
    price = "80000" if kind == "limit" else ""

    read = report("bitget", BITGET_UNIFIED | {"orderType": kind, "price": price}, parse)

    assert (read.state, read.filled_quantity) == (OrderState.FILLED, Decimal("0.001"))
    assert read.average_price == Decimal("83131.5")


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
        client,
        lookup := OrderLookup(client, row),
        lookup.open_orders,
        RestAnswers(),
        row,
        StreamSettings(),
        Random(1),
        lambda: 1,
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


def test_what_an_earlier_event_of_krakens_told_does_not_stand_against_that_all_is_filled() -> None:
    """ccxt keeps an earlier event's words beside a later one's; it was canceled, with nothing."""
    client, told = client_of(CAPABILITIES["kraken"]), list[Any]()
    socket: Any = type("Socket", (), {"resolve": lambda _s, value, _n: told.extend(value)})()
    new = {**KRAKEN, "order_status": "new", "exec_type": "new", "order_qty": "0.005"}
    trade = {
        "order_id": KRAKEN["order_id"],
        "exec_id": "T5DIUI-5N4KO-Z5BPXK",
        "exec_type": "trade",
        "trade_id": 8253473,
        "symbol": BTC,
        "side": "sell",
        "last_qty": "0.005",
        "last_price": "26500",
        "cost": "132.5",
        "order_userref": 0,
        "order_status": "filled",
        "order_type": "limit",
        "timestamp": "2023-09-22T10:34:05.709950Z",
    }

    for event in ({**new, "cum_qty": "0", "cum_cost": "0"}, trade):
        client.handle_orders(socket, {"channel": "executions", "type": "update", "data": [event]})

    last = report_of(told[-1], evidence="stream")
    assert (last.state, last.filled_quantity) == (OrderState.FILLED, Decimal("0.005"))


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


@pytest.mark.parametrize("watch", ["watch_orders", "watch_my_trades"])
def test_of_okxs_account_the_spot_market_alone_is_followed(watch: str) -> None:
    """An event of a swap, which is not loaded, would tear the stream down again and again."""
    row, asked = CAPABILITIES["okx"], list[Any]()
    client = client_of(row)
    settings = constructor_config(CcxtSettings(exchange="okx"), row)
    client.options = client.deep_extend(client.options, settings["options"])

    async def nothing(*_: Any, **__: Any) -> None:
        return

    async def subscribe(_url: str, _hash: str, message: Any, *_: Any, **__: Any) -> None:
        asked.extend(message["args"])
        raise Asked

    client.authenticate, client.watch = nothing, subscribe
    with pytest.raises(Asked):
        run(client, getattr(client, watch))

    assert [(one["channel"], one["instType"]) for one in asked] == [("orders", "SPOT")]


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
