"""What ccxt makes of our orders and questions, for each exchange that may be traded.

Nothing is sent. The rows of `exchanges.capabilities` were read in its source; here they are held
against what it does.
"""

import asyncio
import importlib
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.order_keys import client_order_id
from exchanges.capabilities import CAPABILITIES, Capability, Lookup
from exchanges.ccxt_cancel import Canceler
from exchanges.ccxt_lookup import OrderLookup
from exchanges.ccxt_parse import request_of
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown
from messages.ids import OrderKey, Symbol, TimestampNs
from messages.values import OrderType, Side, TimeInForce

pytestmark = pytest.mark.slow

BTC = Symbol("BTC/USDT")
KEY = OrderKey(f"{7:032x}")
IDS = {"gate": "BTC_USDT", "okx": "BTC-USDT", "kucoin": "BTC-USDT", "htx": "btcusdt"}
TELLS_NO_TIME = {"bitstamp", "phemex"}
"""The gate refuses these."""
ROWS = [
    row
    for row in CAPABILITIES.values()
    if row.lookup is not Lookup.NONE and row.exchange not in TELLS_NO_TIME
]
NO = RuntimeError("it is no unified account")
BEFORE: dict[str, Any] = {
    "/v1/account/accounts": {"status": "ok", "data": [{"id": 1, "type": "spot", "subtype": ""}]},
    "/account/settings": NO,
    "/account/detail": NO,
    "/account/mode": {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}},
}
"""What some are asked before the first order, and their answers."""
LIVES = {
    TimeInForce.IOC: ("ioc", "immediate_or_cancel"),
    TimeInForce.FOK: ("fok", "fill_or_kill"),
}


class Asked(Exception):
    """The request, in place of its answer."""


def market(row: Capability) -> dict[str, Any]:
    name = IDS.get(row.exchange, "BTCUSDT")
    free = {"min": None, "max": None}
    return {
        "id": name,
        "lowercaseId": name.lower(),
        "symbol": BTC,
        "type": "spot",
        "spot": True,
        "base": "BTC",
        "quote": "USDT",
        "baseId": "BTC",
        "quoteId": "USDT",
        "active": True,
        **dict.fromkeys(("margin", "swap", "future", "option", "contract"), False),
        **dict.fromkeys(("settle", "settleId", "linear", "inverse", "strike", "expiry")),
        "precision": {"amount": "0.00001", "price": "0.01"},
        "limits": {"amount": free, "price": free, "cost": free, "leverage": free},
        "info": {"orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"]},
    }


def client_of(row: Capability) -> Any:
    """Give ccxt's client, whose requests end as `Asked`."""
    pro: Any = importlib.import_module("ccxt.pro")
    secrets = {"apiKey": "k" * 32, "secret": "c2VjcmV0" * 4, "password": "p", "uid": "1"}
    client = getattr(pro, row.exchange)({**secrets, "number": str, "enableRateLimit": False})
    client.set_markets([market(row)])

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        for path, answer in BEFORE.items():
            if url.partition("?")[0].endswith(path):
                if answer is NO:
                    raise answer
                return answer
        text = body.decode() if isinstance(body, bytes) else body
        raise Asked(f"{method} {url} {text or ''}")

    client.fetch = fetch
    return client


def asked(row: Capability, question: Any) -> str:
    """Give the request that a question to the client would be."""

    async def ask() -> str:
        client = client_of(row)
        try:
            await question(client)
        except Asked as request:
            return str(request)
        except OutcomeUnknown as error:
            if isinstance(error.__cause__, Asked):
                return str(error.__cause__)
            raise
        finally:
            await client.close()
        raise AssertionError("nothing was asked")

    return asyncio.run(ask())


def order(row: Capability, **changes: Any) -> NewOrder:
    shape = (row.id_prefix, row.id_length_max, row.id_alphabet)
    plain: dict[str, Any] = {
        "client_order_id": client_order_id(KEY, *shape),
        "symbol": BTC,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "quantity": Decimal("0.00123"),
        "limit_price": Decimal("50000.01"),
        "decided_at_ns": TimestampNs(1),
    }
    return NewOrder(**(plain | changes))


def at_market(row: Capability, side: Side) -> NewOrder:
    return order(row, side=side, order_type=OrderType.MARKET, limit_price=None)


def request(row: Capability, order: NewOrder) -> str:
    return asked(row, lambda client: client.create_order(*request_of(order)))


def name_of(row: Capability) -> str:
    return order(row).client_order_id


each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.exchange)


@each_row
def test_an_order_goes_with_our_id_its_quantity_and_its_price(row: Capability) -> None:
    for side in Side:
        text = request(row, order(row, side=side))

        assert text.startswith("POST ")
        assert name_of(row) in text
        assert "0.00123" in text
        assert "50000.01" in text
        assert side.value in text.lower()


@each_row
@pytest.mark.parametrize("lives", LIVES)
def test_an_order_that_may_not_rest_says_so(row: Capability, lives: TimeInForce) -> None:
    text = request(row, order(row, time_in_force=lives)).lower()

    assert any(word in text for word in LIVES[lives])


@each_row
@pytest.mark.parametrize("is_unified", [False, True])
def test_an_order_that_rests_is_taken_whatever_the_kind_of_account(
    row: Capability, is_unified: bool
) -> None:
    """KuCoin's unified one is sent nothing where an order says that it rests: ccxt refuses it."""

    async def send(client: Any) -> None:
        client.options["uta"] = is_unified
        await client.create_order(*request_of(order(row)))

    text = asked(row, send).lower()

    assert not any(word in text for words in LIVES.values() for word in words)


@each_row
def test_a_market_order_says_how_much_and_not_what_it_costs(row: Capability) -> None:
    sides = Side if row.buys_at_market else (Side.SELL,)
    for side in sides:
        text = request(row, at_market(row, side))

        assert name_of(row) in text
        assert "0.00123" in text
        assert "market" in text.lower()


@pytest.mark.parametrize("row", [r for r in ROWS if not r.buys_at_market], ids=lambda r: r.exchange)
def test_where_it_would_say_what_it_costs_ccxt_asks_for_a_price(row: Capability) -> None:
    with pytest.raises(Exception, match="requires the price argument for market buy orders"):
        request(row, at_market(row, Side.BUY))


@each_row
def test_an_order_is_asked_for_by_our_id(row: Capability) -> None:
    if row.lookup is Lookup.SCAN:
        return
    name = order(row).client_order_id
    text = asked(row, lambda client: OrderLookup(client, row).by_id(name, BTC))

    assert name in text
    assert "None" not in text


@each_row
def test_an_order_is_canceled_by_our_id(row: Capability) -> None:
    canceled: list[str] = []

    async def cancel(client: Any) -> None:
        cancel_order = client.cancel_order

        async def noted(*what: Any) -> Any:
            try:
                return await cancel_order(*what)
            except Asked as request:
                canceled.append(str(request))
                raise

        client.cancel_order = noted
        canceler = Canceler(client, OrderLookup(client, row), row, 2_500, lambda: 0)
        await canceler.cancel(order(row).client_order_id, BTC)

    asked(row, cancel)
    assert name_of(row) in canceled[0]
    assert "None" not in canceled[0]
