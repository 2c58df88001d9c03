"""The second profile: same engine, another shape, and the unmodified ccxt `okx` class."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange
from exchanges.local.settings import Profile

BTC = "BTC/USDT"


@pytest.fixture
def profile() -> Profile:
    return Profile.OKX


@pytest.fixture
def okx(client: Any) -> Any:
    return client


def place(client: Any, name: str, price: float = 50_000, **params: Any) -> Any:
    return client.create_order(BTC, "limit", "buy", 0.01, price, {"clientOrderId": name} | params)


def find(client: Any, name: str) -> Any:
    return client.fetch_order(None, BTC, {"clientOrderId": name})


def test_the_markets(okx: Any) -> None:
    assert list(okx.markets) == [BTC, "ETH/USDT", "BNB/USDT"]
    assert okx.market(BTC)["precision"] == {"amount": 0.00001, "price": 0.01}


def test_market_data(okx: Any) -> None:
    ticker, book = okx.fetch_ticker(BTC), okx.fetch_order_book(BTC, 5)
    candles = okx.fetch_ohlcv(BTC, "1m", limit=10)

    assert (ticker["bid"], ticker["ask"]) == (book["bids"][0][0], book["asks"][0][0])
    assert len(candles) == 10
    assert candles == sorted(candles)
    assert okx.fetch_trades(BTC)
    assert okx.fetch_time() > 0


def test_a_placement_answers_with_an_id_and_nothing_more(okx: Any) -> None:
    placed = place(okx, "a")

    assert placed["id"]
    assert (placed["clientOrderId"], placed["status"], placed["filled"]) == ("a", None, None)


def test_an_order_is_found_listed_and_canceled(run: RunningExchange, okx: Any) -> None:
    place(okx, "a")
    found, listed = find(okx, "a"), okx.fetch_open_orders(BTC)
    used = okx.fetch_balance()["USDT"]
    okx.cancel_order(None, BTC, {"clientOrderId": "a"})

    assert (found["status"], found["amount"], found["price"]) == ("open", 0.01, 50_000)
    assert [one["id"] for one in listed] == [found["id"]]
    assert (used["free"], used["used"], used["total"]) == (999_500, 500, 1_000_000)
    assert find(okx, "a")["status"] == "canceled"
    assert run.exchange.balances()["USDT"] == (Decimal(1_000_000), Decimal(0))


def test_a_market_order_and_its_fills(okx: Any) -> None:
    okx.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "m"})
    order, (trade,) = find(okx, "m"), okx.fetch_my_trades(BTC)

    assert (order["status"], order["filled"]) == ("closed", 0.01)
    assert order["fee"] == {"cost": 0.00001, "currency": "BTC"}
    assert (trade["order"], trade["price"], trade["takerOrMaker"]) == (
        order["id"],
        order["average"],
        "taker",
    )


def test_a_resting_order_fills_in_parts(run: RunningExchange, okx: Any) -> None:
    place(okx, "a")
    run.exchange.fill_order("a", Decimal("0.004"))

    assert (find(okx, "a")["status"], find(okx, "a")["filled"]) == ("open", 0.004)


def test_nothing_expires_and_post_only_is_canceled(okx: Any) -> None:
    ask = okx.fetch_ticker(BTC)["ask"]
    place(okx, "post", ask, postOnly=True)
    okx.create_order(BTC, "limit", "buy", 5, ask, {"timeInForce": "FOK", "clientOrderId": "fok"})
    okx.create_order(BTC, "limit", "buy", 5, ask, {"timeInForce": "IOC", "clientOrderId": "ioc"})

    told = {name: find(okx, name) for name in ("post", "fok", "ioc")}
    assert {one["status"] for one in told.values()} == {"canceled"}
    assert [one["info"]["cancelSource"] for one in told.values()] == ["31", "13", "14"]
    assert told["ioc"]["filled"] > 0


@pytest.mark.parametrize(
    ("order", "error", "code"),
    [
        (("limit", "buy", 100, 50_000), ccxt.InsufficientFunds, "51008"),
        (("limit", "buy", 0.00001, 50_000), ccxt.InvalidOrder, "51020"),
        (("limit", "buy", 0.01, 400_000), ccxt.InvalidOrder, "51006"),
        (("limit", "buy", 9_001, 50_000), ccxt.InvalidOrder, "51121"),
    ],
)
def test_refusals_come_inside_a_200(
    run: RunningExchange, okx: Any, order: Any, error: Any, code: str
) -> None:
    kind, side, amount, price = order
    with pytest.raises(error, match=code):
        okx.create_order(BTC, kind, side, amount, price)

    (request,) = run.exchange.requests(operation="place")
    assert (request.http_status, request.engine[:14]) == (200, f"refused: {code}")
    assert run.exchange.orders() == []


def test_ids_that_are_open_unknown_or_too_fancy(run: RunningExchange, okx: Any) -> None:
    place(okx, "a")
    with pytest.raises(ccxt.InvalidOrder, match="51016"):
        place(okx, "a")
    with pytest.raises(ccxt.OrderNotFound, match="51603"):
        find(okx, "nobody")
    with pytest.raises(ccxt.OrderNotFound, match="51400"):
        okx.cancel_order(None, BTC, {"clientOrderId": "nobody"})
    with pytest.raises(ccxt.BadRequest, match="51000"):
        place(okx, "a-b")

    assert len(run.exchange.orders()) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"apiKey": "other"}, "50111"),
        ({"secret": "other"}, "50113"),
        ({"password": "other"}, "50105"),
    ],
)
def test_each_credential_is_checked(
    run: RunningExchange, connect: Callable[..., Any], changes: dict[str, str], code: str
) -> None:
    client = connect(run, **changes)
    with pytest.raises(ccxt.AuthenticationError, match=code):
        client.fetch_balance()


def test_the_clock_is_checked(run: RunningExchange, okx: Any) -> None:
    run.exchange.skew_clock(31_000)
    with pytest.raises(ccxt.InvalidNonce, match="50102"):
        place(okx, "a")


@pytest.mark.parametrize(
    ("fault", "error", "orders"),
    [
        (Fault.RESET_AFTER, "NetworkError", 1),
        (Fault.TIMEOUT_CODE_BEFORE, "RequestTimeout", 0),
        (Fault.TIMEOUT_CODE_AFTER, "RequestTimeout", 1),
        (Fault.UNEXPECTED_RESPONSE_AFTER, "ExchangeNotAvailable", 1),
        (Fault.UNKNOWN_CODE_AFTER, "ExchangeError", 1),
        (Fault.SERVER_BUSY, "ExchangeNotAvailable", 0),
        (Fault.TOO_MANY_REQUESTS, "RateLimitExceeded", 0),
        (Fault.MAINTENANCE, "OnMaintenance", 0),
        (Fault.KEY_REVOKED, "AuthenticationError", 0),
        (Fault.EMPTY_OBJECT, "ExchangeError", 1),
    ],
)
def test_faults_strike_it_too(
    run: RunningExchange, okx: Any, fault: Fault, error: str, orders: int
) -> None:
    run.exchange.arm(Plan(fault=fault, client_order_id="a"))

    with pytest.raises(ccxt.BaseError) as caught:
        place(okx, "a")
    assert type(caught.value).__name__ == error
    assert len(run.exchange.orders_with("a")) == orders


def test_a_batch_may_half_succeed(run: RunningExchange, okx: Any) -> None:
    orders = [
        {"symbol": BTC, "type": "limit", "side": "buy", "amount": amount, "price": 50_000}
        for amount in (0.01, 100)
    ]
    done, refused = okx.create_orders(orders)

    assert done["id"]
    assert refused["status"] == "rejected"
    assert len(run.exchange.orders()) == 1


def test_a_lagging_read_shows_an_order_without_what_it_has_traded_since(
    run: RunningExchange, okx: Any
) -> None:
    place(okx, "a")
    run.exchange.fill_order("a", Decimal("0.004"))
    run.exchange.arm(Plan(fault=Fault.LAGGING_READ, operation="query", delay_ms=60_000, times=None))

    lagging = find(okx, "a")["info"]

    assert (lagging["state"], lagging["accFillSz"]) == ("live", "0")
    assert (lagging["fee"], lagging["fillSz"], lagging["tradeId"]) == ("0", "0", "")
