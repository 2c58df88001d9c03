"""What an order is that an exchange shows: its state, its fees."""

from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_numbers import Unclear
from exchanges.ccxt_parse import as_open, fill_of, report_of
from messages.values import OrderState
from tests.exchanges.answers.answering import OURS, report
from tests.exchanges.test_request_shapes import BTC, client_of

pytestmark = pytest.mark.slow


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


def binance_order(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "orderId": 7,
        "orderListId": -1,
        "clientOrderId": OURS,
        "price": "50000.00",
        "origQty": "1.0",
        "executedQty": "0.0",
        "cummulativeQuoteQty": "0.0",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "SELL",
        "time": 1694288788963,
        "updateTime": 1694288788963,
        "isWorking": True,
    } | changes


def test_a_leg_at_binance_that_waits_for_another_order_is_open() -> None:
    leg = binance_order(status="PENDING_NEW", orderListId=5)

    assert report("binance", leg).state is OrderState.ACCEPTED


@pytest.mark.parametrize(
    ("executed", "state"),
    [("0", OrderState.ACCEPTED), ("0.5", OrderState.PARTIALLY_FILLED)],
)
def test_what_a_list_of_open_orders_shows_is_open_by_whatever_word(
    executed: str, state: OrderState
) -> None:
    """One such order of anybody's made the list unreadable, and no halt could be proved."""
    client = client_of(CAPABILITIES["binance"])
    raw = binance_order(status="A_WORD_OF_TOMORROW", executedQty=executed)

    order = as_open(client.parse_order(raw, client.market(BTC)))

    assert report_of(order, evidence="test").state is state


@pytest.mark.parametrize("missing", [("executedQty",), ("executedQty", "origQty")])
def test_an_order_that_is_called_filled_and_tells_of_nothing_filled_is_not_clear(
    missing: tuple[str, ...],
) -> None:
    """It was taken as canceled with nothing filled, which is final: a position was lost."""
    raw = binance_order(status="FILLED", cummulativeQuoteQty="50000")
    for name in missing:
        del raw[name]

    with pytest.raises(Unclear, match="what of it is filled is not told"):
        report("binance", raw)


def test_an_order_that_is_called_rejected_with_a_part_filled_was_taken() -> None:
    raw = binance_order(status="REJECTED", executedQty="0.25")

    assert report("binance", raw).state is OrderState.CANCELED
    assert report("binance", binance_order(status="REJECTED")).state is OrderState.REJECTED


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
