"""Every fault of the catalogue over HTTP: what ccxt makes of it, and what the truth is.

The right-hand columns are the point: the same exception stands for an order that exists and
for one that does not.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import ccxt
import ccxt.async_support as ccxt_async
import pytest

from exchanges.local.ccxt_config import restore_errors
from exchanges.local.faults import CATALOGUE, SENTENCES, Fault, Plan
from exchanges.local.server import RunningExchange

BTC = "BTC/USDT"
NO_ERROR = "no error, no id"
LOST = {
    Fault.HANG_BEFORE: ("RequestTimeout", "RequestTimeout", 0),
    Fault.HANG_AFTER: ("RequestTimeout", "RequestTimeout", 1),
    Fault.RESET_BEFORE: ("NetworkError", "ExchangeNotAvailable", 0),
    Fault.RESET_AFTER: ("NetworkError", "ExchangeNotAvailable", 1),
    Fault.CLOSE_BEFORE: ("NetworkError", "ExchangeNotAvailable", 0),
    Fault.CLOSE_AFTER: ("NetworkError", "ExchangeNotAvailable", 1),
    Fault.TRUNCATED_LENGTH: ("NetworkError", "ExchangeError", 1),
    Fault.TRUNCATED_CHUNKED: ("ExchangeError", "ExchangeError", 1),
    Fault.HALF_JSON: (NO_ERROR, NO_ERROR, 1),
    Fault.EMPTY_BODY: (NO_ERROR, NO_ERROR, 1),
    Fault.EMPTY_OBJECT: (NO_ERROR, NO_ERROR, 1),
    Fault.HTML_BODY: (NO_ERROR, NO_ERROR, 1),
    Fault.SERVER_ERROR_BEFORE: ("ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    Fault.SERVER_ERROR_AFTER: ("ExchangeNotAvailable", "ExchangeNotAvailable", 1),
    Fault.GATEWAY_TIMEOUT_BEFORE: ("RequestTimeout", "RequestTimeout", 0),
    Fault.GATEWAY_TIMEOUT_AFTER: ("RequestTimeout", "RequestTimeout", 1),
    Fault.TIMEOUT_CODE_BEFORE: ("RequestTimeout", "RequestTimeout", 0),
    Fault.TIMEOUT_CODE_AFTER: ("RequestTimeout", "RequestTimeout", 1),
    Fault.UNEXPECTED_RESPONSE_BEFORE: ("OperationFailed", "OperationFailed", 0),
    Fault.UNEXPECTED_RESPONSE_AFTER: ("OperationFailed", "OperationFailed", 1),
    Fault.DISCONNECTED_BEFORE: ("OperationFailed", "OperationFailed", 0),
    Fault.DISCONNECTED_AFTER: ("OperationFailed", "OperationFailed", 1),
    Fault.UNKNOWN_CODE_AFTER: ("ExchangeError", "ExchangeError", 1),
    Fault.SERVER_BUSY: ("OperationFailed", "OperationFailed", 0),
    Fault.TOO_MANY_REQUESTS: ("DDoSProtection", "DDoSProtection", 0),
    Fault.TOO_MANY_ORDERS: ("DDoSProtection", "DDoSProtection", 0),
    Fault.IP_BANNED: ("DDoSProtection", "DDoSProtection", 0),
    Fault.FIREWALL: ("ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    Fault.KEY_REVOKED: ("AuthenticationError", "AuthenticationError", 0),
    Fault.MAINTENANCE: ("OnMaintenance", "OnMaintenance", 0),
    Fault.CLOCK_REFUSED: ("InvalidNonce", "InvalidNonce", 0),
}
"""What sync ccxt says, what async ccxt says, and how many orders there are."""
HANGS = {Fault.HANG_BEFORE, Fault.HANG_AFTER}
ANSWERED = {
    Fault.DELAYED_DELIVERY,
    Fault.DELAYED_ENGINE,
    Fault.DELAYED_REPLY,
    Fault.DELIVERED_TWICE,
    Fault.STALE_READ,
    Fault.LAGGING_READ,
    Fault.RESET_IDLE_KEEP_ALIVE,
    Fault.PARTIAL_FILL,
    Fault.NO_FILL,
    Fault.CANCEL_FILL_RACE,
    Fault.CANCEL_PARTIAL_RACE,
}
"""Those that have tests of their own below."""


def place(client: Any, name: str = "a", **params: Any) -> Any:
    return client.create_order(BTC, "limit", "buy", 0.01, 50_000, {"clientOrderId": name} | params)


def find(client: Any, name: str = "a") -> Any:
    return client.fetch_order(None, BTC, {"clientOrderId": name})


@contextmanager
def impatient(client: Any) -> Iterator[None]:
    """Wait only so long as a lost reply must be waited for; a busy machine needs more."""
    usual, client.timeout = client.timeout, 300
    yield
    client.timeout = usual


def strike(run: RunningExchange, fault: Fault, **changes: Any) -> int:
    return run.exchange.arm(Plan(fault=fault, **changes))


def test_every_fault_has_a_sentence_and_a_test() -> None:
    assert set(SENTENCES) == set(Fault)
    assert set(LOST) | ANSWERED == set(Fault)
    assert all(CATALOGUE.values())


@pytest.mark.slow
@pytest.mark.parametrize("fault", LOST)
def test_what_sync_ccxt_makes_of_it(run: RunningExchange, client: Any, fault: Fault) -> None:
    said, _, orders = LOST[fault]
    client.timeout = 300 if fault in HANGS else 3_000
    strike(run, fault)

    assert outcome(lambda: place(client)) == said
    assert len(run.exchange.orders_with("a")) == orders
    (request,) = run.exchange.requests(operation="place")
    assert (request.fault, request.engine == "done") == (fault, orders == 1)


def outcome(ask: Callable[[], Any]) -> str:
    try:
        order = ask()
    except ccxt.BaseError as error:
        return type(error).__name__
    return NO_ERROR if order["id"] is None else "fine"


@pytest.mark.slow
def test_what_async_ccxt_makes_of_them(run: RunningExchange) -> None:
    async def all_of_them() -> dict[Fault, str]:
        client = ccxt_async.binance(run.ccxt_config(enableRateLimit=False))
        restore_errors(client)
        said = {}
        try:
            await client.load_markets()
            for fault in LOST:
                run.exchange.disarm()
                strike(run, fault)
                client.timeout = 300 if fault in HANGS else 3_000
                said[fault] = await one(client, fault)
        finally:
            await client.close()
        return said

    async def one(client: Any, fault: Fault) -> str:
        try:
            order = await place(client, fault.value)
        except ccxt.BaseError as error:
            return type(error).__name__
        return NO_ERROR if order["id"] is None else "fine"

    said = asyncio.run(all_of_them())

    expected = {fault: columns[1] for fault, columns in LOST.items()}
    # After its first good private call ccxt takes a refused key for throttling.
    expected[Fault.KEY_REVOKED] = "DDoSProtection"
    assert said == expected
    assert {fault: len(run.exchange.orders_with(fault.value)) for fault in LOST} == {
        fault: columns[2] for fault, columns in LOST.items()
    }


@pytest.mark.parametrize(
    "fault", [Fault.HANG_AFTER, Fault.RESET_AFTER, Fault.TIMEOUT_CODE_AFTER, Fault.HALF_JSON]
)
def test_a_lost_cancel_has_canceled(run: RunningExchange, client: Any, fault: Fault) -> None:
    place(client)
    strike(run, fault, operation="cancel")

    with impatient(client):
        said = outcome(lambda: client.cancel_order(None, BTC, {"origClientOrderId": "a"}))
    assert said != "fine"
    assert find(client)["status"] == "canceled"


def test_a_query_that_fails_says_nothing_of_the_order(run: RunningExchange, client: Any) -> None:
    place(client)
    strike(run, Fault.SERVER_ERROR_BEFORE, operation="query", client_order_id="a")

    with pytest.raises(ccxt.ExchangeNotAvailable):
        find(client)
    assert find(client)["status"] == "open"


def test_a_reset_delete_is_repeated_by_async_ccxt_which_then_calls_it_not_found(
    run: RunningExchange,
) -> None:
    async def story() -> Any:
        client = ccxt_async.binance(run.ccxt_config(enableRateLimit=False))
        restore_errors(client)
        try:
            await client.load_markets()
            await place(client)
            strike(run, Fault.RESET_AFTER, operation="cancel")
            return await client.cancel_order(None, BTC, {"origClientOrderId": "a"})
        finally:
            await client.close()

    with pytest.raises(ccxt.OrderNotFound):
        asyncio.run(story())

    first, second = run.exchange.requests(operation="cancel")
    assert (first.engine, second.engine) == ("done", "refused: -2011 Unknown order sent.")


@pytest.mark.slow
def test_a_request_may_arrive_after_the_client_has_given_up(
    run: RunningExchange, client: Any
) -> None:
    strike(run, Fault.DELAYED_DELIVERY, delay_ms=4_000)
    with impatient(client), pytest.raises(ccxt.RequestTimeout):
        place(client, recvWindow=20_000)
    with pytest.raises(ccxt.OrderNotFound):
        find(client)

    assert eventually(lambda: outcome(lambda: find(client)) == "fine")
    assert len(run.exchange.orders_with("a")) == 1


@pytest.mark.slow
def test_a_request_that_arrives_after_its_window_is_refused(
    run: RunningExchange, client: Any
) -> None:
    strike(run, Fault.DELAYED_DELIVERY, delay_ms=600)
    with impatient(client), pytest.raises(ccxt.RequestTimeout):
        place(client, recvWindow=400)

    def is_told() -> bool:
        return any(it.engine != "not reached" for it in run.exchange.requests(operation="place"))

    assert eventually(is_told)
    (request,) = run.exchange.requests(operation="place")
    assert request.engine.startswith("not authorised: -1021")
    assert run.exchange.orders() == []


def test_the_window_is_checked_again_before_the_engine(run: RunningExchange, client: Any) -> None:
    strike(run, Fault.DELAYED_ENGINE, delay_ms=500)

    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        place(client, recvWindow=300)
    assert run.exchange.orders() == []


@pytest.mark.slow
def test_a_late_reply_is_a_lost_reply(run: RunningExchange, client: Any) -> None:
    strike(run, Fault.DELAYED_REPLY, delay_ms=600)

    with impatient(client), pytest.raises(ccxt.RequestTimeout):
        place(client)
    assert find(client)["status"] == "open"


def test_any_answer_can_be_late(run: RunningExchange, client: Any) -> None:
    strike(run, Fault.TIMEOUT_CODE_AFTER, delay_ms=300)
    began = time.monotonic()

    with pytest.raises(ccxt.RequestTimeout, match="-1007"):
        place(client)
    assert time.monotonic() - began >= 0.3


def test_a_network_may_deliver_twice(run: RunningExchange, client: Any) -> None:
    strike(run, Fault.DELIVERED_TWICE, times=2)
    place(client, "resting")
    client.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "filled"})

    assert len(run.exchange.orders_with("resting")) == 1
    assert len(run.exchange.orders_with("filled")) == 2


@pytest.mark.slow
def test_a_stale_read_does_not_see_a_young_order(run: RunningExchange, client: Any) -> None:
    for operation in ("query", "open_orders"):
        strike(run, Fault.STALE_READ, operation=operation, delay_ms=4_000, times=None)
    place(client)

    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        find(client)
    assert client.fetch_open_orders(BTC) == []
    assert eventually(lambda: outcome(lambda: find(client)) == "fine")


def test_a_lagging_read_shows_an_order_as_it_was(run: RunningExchange, client: Any) -> None:
    place(client)
    run.exchange.fill_order("a", Decimal("0.004"))
    client.cancel_order(None, BTC, {"origClientOrderId": "a"})
    plans = [
        run.exchange.arm(Plan(fault=Fault.LAGGING_READ, operation=one, delay_ms=60_000, times=None))
        for one in ("query", "open_orders", "my_trades")
    ]

    lagging = find(client)
    assert (lagging["status"], lagging["filled"]) == ("open", 0)
    assert [one["clientOrderId"] for one in client.fetch_open_orders(BTC)] == ["a"]
    assert client.fetch_my_trades(BTC) == []

    for plan in plans:
        run.exchange.disarm(plan)
    now = find(client)
    assert (now["status"], now["filled"]) == ("canceled", 0.004)
    assert client.fetch_open_orders(BTC) == []


def test_an_idle_connection_is_reset_when_it_is_used_again(
    run: RunningExchange, client: Any
) -> None:
    strike(run, Fault.RESET_IDLE_KEEP_ALIVE, operation="time")
    client.fetch_time()

    with pytest.raises(ccxt.NetworkError):
        place(client)
    assert run.exchange.orders() == []
    place(client)


def test_partial_and_missing_fills(run: RunningExchange, client: Any) -> None:
    ask = client.fetch_ticker(BTC)["ask"]
    strike(run, Fault.PARTIAL_FILL, times=2)
    market = client.create_order(BTC, "market", "buy", 0.01)
    ioc = client.create_order(BTC, "limit", "buy", 0.01, ask, {"timeInForce": "IOC"})
    strike(run, Fault.NO_FILL, times=2)
    nothing = client.create_order(BTC, "market", "buy", 0.01)
    resting = client.create_order(BTC, "limit", "buy", 0.01, ask)

    assert [(one["status"], one["filled"]) for one in (market, ioc, nothing, resting)] == [
        ("expired", 0.005),
        ("expired", 0.005),
        ("expired", 0),
        ("open", 0),
    ]


def test_a_cancel_may_lose_the_race(run: RunningExchange, client: Any) -> None:
    place(client, "whole")
    strike(run, Fault.CANCEL_FILL_RACE, operation="cancel")
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order(None, BTC, {"origClientOrderId": "whole"})
    place(client, "half")
    strike(run, Fault.CANCEL_PARTIAL_RACE, operation="cancel")
    half = client.cancel_order(None, BTC, {"origClientOrderId": "half"})

    assert find(client, "whole")["status"] == "closed"
    assert (half["status"], half["filled"]) == ("canceled", 0.005)


def test_throttling_says_when_to_come_back(run: RunningExchange, client: Any) -> None:
    strike(run, Fault.IP_BANNED, retry_after_s=120)
    with pytest.raises(ccxt.DDoSProtection):
        place(client)

    assert client.last_response_headers["Retry-After"] == "120"


def test_a_plan_strikes_the_nth_call_and_no_other(run: RunningExchange, client: Any) -> None:
    strike(run, Fault.SERVER_ERROR_AFTER, nth=2)

    said = [outcome(partial(place, client, name)) for name in "abc"]
    assert said == ["fine", "ExchangeNotAvailable", "fine"]


def test_chances_follow_the_seed(serve: Callable[..., RunningExchange]) -> None:
    def struck(seed: int) -> list[bool]:
        run = serve(seed=seed)
        strike(run, Fault.SERVER_BUSY, probability=0.5, times=None)
        return [run.exchange.faults.strike("place", None) is not None for _ in range(64)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 16 < sum(struck(1)) < 48


def test_conditions_last_until_they_are_undone(run: RunningExchange, client: Any) -> None:
    exchange = run.exchange
    exchange.set_maintenance(is_on=True)
    assert outcome(lambda: place(client)) == "OnMaintenance"
    exchange.set_maintenance(is_on=False)
    exchange.revoke_key()
    assert outcome(lambda: place(client)) == "AuthenticationError"
    exchange.revoke_key(is_revoked=False)
    exchange.halt(BTC)
    assert outcome(lambda: place(client)) == "MarketClosed"
    exchange.halt(BTC, is_halted=False)
    exchange.set_max_orders(BTC, 1)
    place(client, "one")
    assert outcome(lambda: place(client, "two")) == "BadRequest"
    exchange.delist(BTC)

    assert outcome(lambda: place(client)) == "BadSymbol"
    assert [one.status for one in exchange.orders()] == ["expired"]


def eventually(is_so: Callable[[], bool], limit_s: float = 60.0) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if is_so():
            return True
    return False
