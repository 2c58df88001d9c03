"""The executions of an order that has more of them than an exchange tells at once."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_lookup import Found, OrderLookup
from messages.ids import NS_PER_MS
from messages.orders import OrderReport
from tests.exchanges.answers.answering import OURS, answering, run
from tests.exchanges.test_request_shapes import BTC

pytestmark = pytest.mark.slow

PLACED_MS = 1_700_000_000_000
FIRST = 10_000
"""The number of the first execution; ours are each third of the account's, where it tells all."""

Query = dict[str, str]


def kucoin(number: int, order: str) -> dict[str, Any]:
    return {
        "id": number,
        "symbol": "BTC-USDT",
        "tradeId": number + 7,
        "orderId": order,
        "side": "buy",
        "liquidity": "taker",
        "price": "50000",
        "size": "0.01",
        "funds": "500",
        "fee": "0.5",
        "feeCurrency": "USDT",
        "createdAt": PLACED_MS,
    }


def okx(number: int, order: str) -> dict[str, Any]:
    return {
        "instType": "SPOT",
        "instId": "BTC-USDT",
        "tradeId": str(number + 7),
        "billId": str(number),
        "ordId": order,
        "clOrdId": OURS,
        "side": "buy",
        "fillSz": "0.01",
        "fillPx": "50000",
        "fee": "-0.5",
        "feeCcy": "USDT",
        "execType": "T",
        "ts": str(PLACED_MS),
    }


def bitget(number: int, order: str) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "orderId": order,
        "tradeId": str(number),
        "orderType": "limit",
        "side": "buy",
        "priceAvg": "50000",
        "size": "0.01",
        "amount": "500",
        "feeDetail": {"deduction": "no", "feeCoin": "USDT", "totalFee": "-0.5"},
        "tradeScope": "taker",
        "cTime": str(PLACED_MS),
        "uTime": str(PLACED_MS),
    }


def gate(number: int, order: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "create_time": str(PLACED_MS // 1000),
        "create_time_ms": f"{PLACED_MS}.0",
        "currency_pair": "BTC_USDT",
        "side": "buy",
        "role": "taker",
        "amount": "0.01",
        "price": "50000",
        "order_id": order,
        "fee": "0.5",
        "fee_currency": "USDT",
        "point_fee": "0",
        "gt_fee": "0",
    }


def mexc(number: int, order: str) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "id": str(number),
        "orderId": order,
        "price": "50000",
        "qty": "0.01",
        "quoteQty": "500",
        "commission": "0.5",
        "commissionAsset": "USDT",
        "time": PLACED_MS,
        "isBuyer": True,
        "isMaker": False,
    }


def kraken(_number: int, order: str) -> dict[str, Any]:
    return {
        "ordertxid": order,
        "pair": "BTCUSDT" if order == "1" else "ETHUSDT",
        "time": PLACED_MS / 1000,
        "type": "buy",
        "price": "50000",
        "cost": "500",
        "fee": "0.5",
        "vol": "0.01",
    }


ROWS: dict[str, Callable[[int, str], dict[str, Any]]] = {
    "kucoin": kucoin,
    "okx": okx,
    "bitget": bitget,
    "gate": gate,
    "mexc": mexc,
    "kraken": kraken,
}
PATHS = {
    "kucoin": "/hf/fills",
    "okx": "/fills-history",
    "bitget": "/trade/fills",
    "gate": "/my_trades",
    "mexc": "/myTrades",
    "kraken": "/TradesHistory",
}
LISTS_ALL = {"bitget", "kraken"}
"""Where ccxt asks for all executions, and not for those of one order."""


class Exchange:
    """An exchange with an order of so many executions, its newest first, and what it was asked."""

    def __init__(self, name: str, count: int, at_once: int = 100) -> None:
        self.name, self.count, self.at_once = name, count, at_once
        self.asked: list[Query] = []
        self.fails_after = count
        self.shows = count
        """How many of the newest it shows yet."""

    def answer(self, query: Query) -> Any:
        self.asked.append(query)
        if len(self.asked) > self.fails_after:
            raise ConnectionResetError("lost")
        step = 3 if self.name in LISTS_ALL else 1
        numbers = range(FIRST, FIRST + self.count * step)[-self.shows * step :]
        page = self._page(numbers[::-1], query)
        rows = [ROWS[self.name](n, "1" if (n - FIRST) % step == 0 else "2") for n in page]
        if self.name == "kraken":
            trades = {f"T{n}": row for n, row in zip(page, rows, strict=True)}
            return {"error": [], "result": {"trades": trades, "count": len(numbers)}}
        enveloped = {
            "kucoin": {"code": "200000", "data": {"items": rows}},
            "okx": {"code": "0", "data": rows},
            "bitget": {"code": "00000", "data": rows},
        }
        return enveloped.get(self.name, rows)

    def _page(self, numbers: Sequence[int], query: Query) -> Sequence[int]:
        paging = CAPABILITIES[self.name].fills_paged
        place = query.get(paging.parameter) if paging else None
        if place is not None and paging is not None:
            is_count = not paging.field
            numbers = numbers[int(place) :] if is_count else [n for n in numbers if n < int(place)]
        return numbers[: min(int(query.get("limit", self.at_once)), self.at_once)]

    def report(self) -> OrderReport:
        """Give what is known of the order, whose executions are asked for."""
        client = answering(self.name, {PATHS[self.name]: (200, self.answer)})
        client.rateLimit = 0
        client.options |= {"uta": False, "hf": True, "unifiedAccount": False}
        filled = f"{self.count / 100}"
        order = {
            "id": "1",
            "clientOrderId": OURS,
            "symbol": BTC,
            "timestamp": PLACED_MS - 1_000,
            "status": "closed",
            "side": "buy",
            "type": "limit",
            "amount": filled,
            "filled": filled,
            "average": "50000",
        }
        lookup = OrderLookup(client, CAPABILITIES[self.name])
        report: OrderReport = run(client, lambda: lookup.report(Found(order), OURS, BTC))
        return report


def fees(report: OrderReport) -> Decimal:
    return sum((fill.fee for fill in report.fills), Decimal(0))


@pytest.mark.parametrize(
    ("name", "count", "at_once"),
    [
        ("kucoin", 130, 100),
        ("kucoin", 130, 20),
        ("okx", 130, 100),
        ("bitget", 130, 100),
        ("kraken", 45, 50),
        ("gate", 130, 1_000),
    ],
)
def test_all_executions_of_an_order_are_known_however_many_they_are(
    name: str, count: int, at_once: int
) -> None:
    report = Exchange(name, count, at_once).report()

    assert len(report.fills) == count
    assert fees(report) == Decimal(count) / 2
    assert report.reason == ""


@pytest.mark.parametrize("name", ROWS)
def test_a_few_executions_are_one_question(name: str) -> None:
    exchange = Exchange(name, 3)

    assert len(exchange.report().fills) == 3
    assert len(exchange.asked) == 1


def test_where_there_is_no_way_to_the_rest_it_is_said_to_lack() -> None:
    exchange = Exchange("mexc", 130)

    report = exchange.report()

    assert len(report.fills) == 100
    assert report.reason == "fills for 0.30 are not shown yet"
    assert len(exchange.asked) == 1


@pytest.mark.parametrize("name", ["kucoin", "okx", "bitget", "kraken"])
def test_what_is_not_shown_yet_is_not_asked_for_again_and_again(name: str) -> None:
    exchange = Exchange(name, 5)
    exchange.shows = 3

    assert exchange.report().reason == "fills for 0.02 are not shown yet"
    assert len(exchange.asked) == 2


def test_an_order_of_more_executions_than_are_asked_for_is_said_to_lack_the_rest() -> None:
    exchange = Exchange("kucoin", 1_100)

    report = exchange.report()

    assert len(report.fills) == 1_000
    assert "fills for 1" in report.reason
    assert len(exchange.asked) == 10


def test_what_a_page_told_is_kept_when_the_next_fails() -> None:
    exchange = Exchange("okx", 130)
    exchange.fails_after = 1

    report = exchange.report()

    assert len(report.fills) == 100
    assert report.reason == "fills for 0.30 are not shown yet"


def test_two_orders_that_traded_with_each_other_have_one_execution_each() -> None:
    """Both bear the one id of the trade."""
    rows = [bitget(FIRST, "2"), bitget(FIRST, "1")]
    client = answering("bitget", {"/trade/fills": (200, {"code": "00000", "data": rows})})
    client.options |= {"uta": False}
    lookup = OrderLookup(client, CAPABILITIES["bitget"])
    order = {"id": "1", "filled": "0.01", "timestamp": PLACED_MS}

    (fill,), problem = run(client, lambda: lookup.executions.of(order, BTC))

    assert (fill.quantity, problem) == (Decimal("0.01"), "")


def test_nor_are_they_one_where_an_accounts_executions_are_listed() -> None:
    """Of the two the other one was kept, and that ours had filled was no proof of it."""
    rows = [
        {
            "symbol": "BTCUSDT",
            "id": 28457,
            "orderId": order,
            "price": "50000",
            "qty": "0.1",
            "quoteQty": "5000",
            "commission": "0",
            "commissionAsset": "USDT",
            "time": PLACED_MS,
            "isBuyer": order == 1,
            "isMaker": order == 1,
        }
        for order in (1, 2)
    ]
    client = answering("binance", {"/myTrades": (200, rows)})
    lookup = OrderLookup(client, CAPABILITIES["binance"])

    found = run(client, lambda: lookup.executions.since(BTC, PLACED_MS * NS_PER_MS))

    assert [one["order"] for one in found] == ["1", "2"]
