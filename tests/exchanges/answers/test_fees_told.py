"""A fee is one number with one sign, whether the stream or REST was the first to tell it."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_parse import fill_of
from messages.orders import Fill
from tests.exchanges.test_request_shapes import BTC, client_of

pytestmark = pytest.mark.slow

OKX_EVENT = {
    "accFillSz": "0.001",
    "avgPx": "31527.1",
    "cTime": "1654084334977",
    "clOrdId": "wk1",
    "execType": "T",
    "fee": "-0.02522168",
    "feeCcy": "USDT",
    "fillFee": "-0.02522168",
    "fillFeeCcy": "USDT",
    "fillPx": "31527.1",
    "fillSz": "0.001",
    "fillTime": "1654084353263",
    "instId": "BTC-USDT",
    "instType": "SPOT",
    "ordId": "452197707845865472",
    "ordType": "market",
    "side": "sell",
    "state": "filled",
    "sz": "0.001",
    "tradeId": "242589207",
    "uTime": "1654084353264",
}
"""Of ccxt's source and OKX's documents: a charge is less than nothing, a rebate is more."""
OKX_ANSWER = {
    "side": "sell",
    "fillSz": "0.001",
    "fillPx": "31527.1",
    "fee": "-0.02522168",
    "feeCcy": "USDT",
    "ordId": "452197707845865472",
    "instType": "SPOT",
    "instId": "BTC-USDT",
    "clOrdId": "wk1",
    "execType": "T",
    "tradeId": "242589207",
    "ts": "1654084353263",
}
BITGET_UNIFIED = {
    "execId": "1322441401010528257",
    "orderId": "1322441400976261120",
    "category": "SPOT",
    "symbol": "BTCUSDT",
    "orderType": "market",
    "side": "sell",
    "execPrice": "107005.4",
    "execQty": "0.0001",
    "execValue": "10.7005",
    "tradeScope": "taker",
    "feeDetail": [{"feeCoin": "USDT", "fee": "0.00642032"}],
    "createdTime": "1751020520451",
    "updatedTime": "1751020520458",
    "execTime": "1751020520451",
}
"""0.06 % of 10.7005: here a charge is more than nothing."""
BITGET_CLASSIC = {
    "symbol": "BTCUSDT",
    "orderId": "1",
    "tradeId": "2",
    "orderType": "market",
    "side": "buy",
    "priceAvg": "50000",
    "size": "0.4",
    "amount": "20000",
    "tradeScope": "taker",
    "cTime": "1695865274510",
    "feeDetail": {"deduction": "no", "feeCoin": "BTC", "totalFee": "-0.0004"},
}


def by_answer(exchange: str, raw: dict[str, Any]) -> Fill:
    client = client_of(CAPABILITIES[exchange])
    return fill_of(client.parse_trade(raw, client.market(BTC)))


def by_okxs_stream(**changes: str) -> Fill:
    client, told = client_of(CAPABILITIES["okx"]), list[Any]()
    resolve = lambda _self, value, _name: told.append(list(value))  # noqa: E731 - of a class made here
    socket: Any = type("Socket", (), {"url": "wss", "resolve": resolve})()
    where = {"channel": "orders", "instType": "SPOT", "uid": "1"}

    async def hear() -> None:
        client.handle_my_trades(socket, {"arg": where, "data": [OKX_EVENT | changes]})
        await client.close()

    asyncio.run(hear())
    return fill_of(told[-1][-1])


def test_okxs_stream_and_its_answers_tell_one_fee() -> None:
    told, answered = by_okxs_stream(), by_answer("okx", OKX_ANSWER)

    assert (told.trade_id, told.fee, told.fee_currency) == (
        answered.trade_id,
        answered.fee,
        answered.fee_currency,
    )
    assert told.fee == Decimal("0.02522168")


def test_a_rebate_of_okx_stays_one() -> None:
    told = by_okxs_stream(fillFee="0.001", execType="M")
    answered = by_answer("okx", OKX_ANSWER | {"fee": "0.001", "execType": "M"})

    assert (told.fee, answered.fee) == (Decimal("-0.001"), Decimal("-0.001"))


def test_an_execution_of_okx_without_a_fee_costs_nothing() -> None:
    assert by_okxs_stream(fillFee="0").fee == by_okxs_stream(fillFee="").fee == 0


def test_bitgets_unified_account_writes_a_charge_plainly() -> None:
    client = client_of(CAPABILITIES["bitget"])
    told = fill_of(client.parse_ws_trade(BITGET_UNIFIED, client.market(BTC)))

    answered = by_answer("bitget", BITGET_UNIFIED)

    assert (answered.trade_id, answered.fee) == (told.trade_id, told.fee)
    assert (answered.fee, answered.fee_currency) == (Decimal("0.00642032"), "USDT")


def test_bitgets_classic_account_writes_it_below_nothing() -> None:
    read = by_answer("bitget", BITGET_CLASSIC)

    assert (read.fee, read.fee_currency) == (Decimal("0.0004"), "BTC")
