"""The unmodified sync ccxt client trades at the local exchange as at the real one."""

import time
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import ccxt
import pytest

from exchanges.local.server import RunningExchange

BTC = "BTC/USDT"


def buy_limit(client: Any, name: str, price: float = 50_000, **params: Any) -> Any:
    return client.create_order(BTC, "limit", "buy", 0.01, price, {"clientOrderId": name} | params)


def test_the_markets_have_the_rules_of_the_exchange(client: Any) -> None:
    market = client.market(BTC)

    assert list(client.markets) == [BTC, "ETH/USDT", "BNB/USDT"]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
    assert market["limits"]["cost"]["min"] == 5
    assert market["active"]


def test_loading_the_markets_is_one_request(run: RunningExchange, client: Any) -> None:
    assert [one.operation for one in run.exchange.requests()] == ["exchange_info"]


def test_market_data(client: Any) -> None:
    book = client.fetch_order_book(BTC, 5)
    ticker = client.fetch_ticker(BTC)
    candles = client.fetch_ohlcv(BTC, "1m", limit=10)
    five = client.fetch_ohlcv(BTC, "5m", limit=10)

    assert len(book["bids"]) == len(book["asks"]) == 5
    assert book["bids"][0][0] < book["asks"][0][0]
    assert (ticker["bid"], ticker["ask"]) == (book["bids"][0][0], book["asks"][0][0])
    assert [later[0] - one[0] for one, later in pairwise(candles)] == [60_000] * 9
    assert all(low <= min(o, c) and high >= max(o, c) for _, o, high, low, c, _ in candles)
    assert five[-2][1:5] == merged(
        [c for c in client.fetch_ohlcv(BTC, "1m") if 0 <= c[0] - five[-2][0] < 300_000]
    )
    asked_ms = time.time() * 1_000
    assert asked_ms - 1 < client.fetch_time() <= time.time() * 1_000
    assert client.fetch_trades(BTC)


def merged(bars: list[list[float]]) -> list[float]:
    return [bars[0][1], max(b[2] for b in bars), min(b[3] for b in bars), bars[-1][4]]


def test_a_limit_order_is_placed_found_by_either_id_and_canceled(client: Any) -> None:
    placed = buy_limit(client, "mine")
    by_client_id = client.fetch_order(None, BTC, {"clientOrderId": "mine"})
    by_id = client.fetch_order(placed["id"], BTC)
    locked = client.fetch_balance()["USDT"]["used"]
    listed = client.fetch_open_orders(BTC)
    canceled = client.cancel_order(None, BTC, {"origClientOrderId": "mine"})

    assert (placed["status"], placed["clientOrderId"]) == ("open", "mine")
    assert by_client_id == by_id
    assert locked == 500
    assert [one["clientOrderId"] for one in listed] == ["mine"]
    assert canceled["status"] == "canceled"
    assert canceled["info"]["origClientOrderId"] == "mine"
    assert canceled["info"]["clientOrderId"] != "mine"
    assert client.fetch_order(placed["id"], BTC)["status"] == "canceled"
    assert client.fetch_balance()["USDT"]["used"] == 0


def test_a_market_order_fills_at_once_and_its_fee_is_told(client: Any) -> None:
    order = client.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "m"})
    (trade,) = client.fetch_my_trades(BTC)

    assert (order["status"], order["filled"]) == ("closed", 0.01)
    assert order["fees"] == [{"currency": "BTC", "cost": 0.00001}]
    assert (trade["order"], trade["price"], trade["takerOrMaker"]) == (
        order["id"],
        order["average"],
        "taker",
    )


def test_a_market_order_with_a_price_spends_quote_currency(client: Any) -> None:
    order = client.create_order(BTC, "market", "buy", 0.01, 50_000)

    assert order["status"] == "closed"
    assert 495 < order["cost"] <= 500


def test_a_resting_order_fills_in_parts_as_the_market_comes_to_it(
    run: RunningExchange, client: Any
) -> None:
    price = client.fetch_ticker(BTC)["bid"] - 100
    buy_limit(client, "maker", price)
    run.exchange.fill_order("maker", Decimal("0.004"))
    part = client.fetch_order(None, BTC, {"clientOrderId": "maker"})
    run.exchange.set_price(BTC, Decimal(str(price)) - 100)
    whole = client.fetch_order(None, BTC, {"clientOrderId": "maker"})

    assert (part["status"], part["filled"]) == ("open", 0.004)
    assert (whole["status"], whole["filled"], whole["average"]) == ("closed", 0.01, price)


def test_an_open_id_is_refused_and_a_filled_one_fills_again(
    run: RunningExchange, client: Any
) -> None:
    buy_limit(client, "open")
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        buy_limit(client, "open")
    for _ in range(2):
        client.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "filled"})

    assert len(run.exchange.orders_with("open")) == 1
    assert len(run.exchange.orders_with("filled")) == 2
    assert run.exchange.doubled() == {"filled": [2, 3]}


@pytest.mark.parametrize(
    ("order", "error", "text"),
    [
        (("limit", "buy", 0.01, 50_000.001), None, "PRICE_FILTER"),
        (("limit", "buy", 0.00001, 50_000), ccxt.BadRequest, "NOTIONAL"),
        (("limit", "buy", 0.01, 400_000), ccxt.InvalidOrder, "PERCENT_PRICE_BY_SIDE"),
        (("limit", "buy", 9_001, 50_000), ccxt.InvalidOrder, "LOT_SIZE"),
        (("limit", "buy", 100, 50_000), ccxt.InsufficientFunds, "insufficient balance"),
    ],
)
def test_refusals_come_as_ccxt_names_them(
    run: RunningExchange, client: Any, order: Any, error: Any, text: str
) -> None:
    kind, side, amount, price = order
    if error is None:  # ccxt itself rounds to the tick that it was told
        client.create_order(BTC, kind, side, amount, price)
        assert run.exchange.orders()[0].price == Decimal("50000.00")
        return
    with pytest.raises(error, match=text):
        client.create_order(BTC, kind, side, amount, price)

    assert run.exchange.orders() == []


def test_post_only_ioc_and_fok(client: Any) -> None:
    ask = client.fetch_ticker(BTC)["ask"]
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order(BTC, "limit", "buy", 0.01, ask, {"postOnly": True})
    resting = client.create_order(BTC, "limit", "buy", 0.01, ask - 500, {"postOnly": True})
    ioc = client.create_order(BTC, "limit", "buy", 5, ask, {"timeInForce": "IOC"})
    fok = client.create_order(BTC, "limit", "buy", 5, ask, {"timeInForce": "FOK"})

    assert client.fetch_order(resting["id"], BTC)["status"] == "open"
    assert (ioc["status"], 0 < ioc["filled"] < 5) == ("expired", True)
    assert (fok["status"], fok["filled"]) == ("expired", 0)


def test_what_is_not_there_cannot_be_found_or_canceled(client: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        client.fetch_order(None, BTC, {"clientOrderId": "nobody"})
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order("77", BTC)


def test_an_order_is_replaced_in_one_request(run: RunningExchange, client: Any) -> None:
    first = buy_limit(client, "first")
    client.edit_order(
        first["id"], BTC, "limit", "buy", 0.02, 40_000, {"newClientOrderId": "second"}
    )

    assert [(one.client_order_id, one.status) for one in run.exchange.orders()] == [
        ("first", "canceled"),
        ("second", "new"),
    ]


def test_all_orders_can_be_canceled_at_once(run: RunningExchange, client: Any) -> None:
    buy_limit(client, "a")
    buy_limit(client, "b")
    client.cancel_all_orders(BTC)

    assert {one.status for one in run.exchange.orders()} == {"canceled"}


def test_a_wrong_secret_a_wrong_key_and_a_wrong_clock_are_refused(
    run: RunningExchange, connect: Callable[..., Any]
) -> None:
    wrong_secret, wrong_key, right = (
        connect(run, secret="other"),
        connect(run, apiKey="other"),
        connect(run),
    )
    for client in (wrong_secret, wrong_key, right):
        client.load_markets()
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        buy_limit(wrong_secret, "a")
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        buy_limit(wrong_key, "a")
    for skew_ms in (11_000, -1_500):
        run.exchange.skew_clock(skew_ms)
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            buy_limit(right, "a")
    run.exchange.skew_clock(9_000)
    buy_limit(right, "b")

    assert [one.client_order_id for one in run.exchange.orders()] == ["b"]


@pytest.mark.slow
def test_the_same_seed_and_the_same_requests_give_the_same_fills(
    serve: Callable[..., RunningExchange], connect: Callable[..., Any]
) -> None:
    def story(seed: int) -> list[Any]:
        run = serve(seed=seed)
        client = connect(run)
        client.load_markets()
        for number in range(3):
            client.create_order(BTC, "market", "buy", 1.5, None, {"clientOrderId": f"m{number}"})
            bid = client.fetch_ticker(BTC)["bid"]
            client.create_order(BTC, "limit", "buy", 0.1, bid, {"clientOrderId": f"l{number}"})
            run.exchange.advance(90)
        return [(one.order_id, one.price, one.quantity, one.fee) for one in run.exchange.trades()]

    assert story(5) == story(5)
    assert story(5) != story(6)
