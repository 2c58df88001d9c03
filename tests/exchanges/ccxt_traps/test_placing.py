"""What ccxt does to who places orders: each trap with ccxt alone, then with our venue.

If one half of a test fails because ccxt has mended its ways, good: read the release, then change
what we do about it.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_client import close_client, open_client
from exchanges.ccxt_settings import CcxtSettings
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange
from exchanges.protocol import NewOrder
from exchanges.rate_budget import RateBudget
from messages.errors import NotSent, OutcomeUnknown, Rejected, VenueRefused
from messages.values import OrderState
from tests.exchanges.ccxt_traps.bare import bare, limit, market
from tests.exchanges.live import BTC, Desk, desk, find, submit

pytestmark = pytest.mark.slow


def test_trap_ccxts_own_retries_send_a_lost_order_again(run: RunningExchange) -> None:
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place"))
    retries = {"fetchMarkets": {"types": ["spot"]}, "maxRetriesOnFailure": 2}

    told = bare(run, market, options=retries)

    assert told["status"] == "closed"
    assert len(run.exchange.orders_with("bare")) == 2
    with desk(run.ccxt_config(options=retries)) as ours, pytest.raises(VenueRefused):
        ours.call(ours.venue.open())


def test_trap_ccxts_own_retries_call_a_live_order_refused(run: RunningExchange) -> None:
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place"))
    retries = {"fetchMarkets": {"types": ["spot"]}, "maxRetriesOnFailure": 2}

    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        bare(run, limit, options=retries)

    assert [order.is_open for order in run.exchange.orders_with("bare")] == [True]
    per_path = retries | {"maxRetriesOnFailure": 0, "place": {"maxRetriesOnFailure": 1}}
    with desk(run.ccxt_config(options=per_path)) as ours, pytest.raises(VenueRefused):
        ours.call(ours.venue.open())


@pytest.mark.parametrize(
    "fault", [Fault.HALF_JSON, Fault.EMPTY_BODY, Fault.EMPTY_OBJECT, Fault.HTML_BODY]
)
def test_trap_a_broken_200_is_no_error_but_an_order_without_an_id(
    fault: Fault, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=fault, operation="place", times=2))

    told = bare(run, limit)

    assert (told["id"], told["status"]) == (None, None)
    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)
    assert len(run.exchange.orders_with("wk1")) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.TRUNCATED_LENGTH, "ExchangeError"),
        (Fault.TRUNCATED_CHUNKED, "ExchangeError"),
        (Fault.UNKNOWN_CODE_AFTER, "ExchangeError"),
    ],
)
def test_trap_a_live_order_comes_as_a_plain_exchange_error(
    fault: Fault, kind: str, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=fault, operation="place", times=2))

    with pytest.raises(ccxt.ExchangeError) as raised:
        bare(run, limit)

    assert type(raised.value).__name__ == kind
    assert len(run.exchange.orders_with("bare")) == 1
    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)


@pytest.mark.parametrize("fault", [Fault.UNEXPECTED_RESPONSE_AFTER, Fault.DISCONNECTED_AFTER])
def test_trap_status_unknown_is_no_network_error(
    fault: Fault, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """Who retries or asks only after a NetworkError takes a live order for a failed one."""
    run.exchange.arm(Plan(fault=fault, operation="place", times=2))

    with pytest.raises(ccxt.OperationFailed) as raised:
        bare(run, limit)

    assert not isinstance(raised.value, ccxt.NetworkError)
    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)


def test_trap_a_lost_answer_and_no_connection_are_of_one_class(
    run: RunningExchange, opened: Desk, resting: NewOrder, order: Callable[..., NewOrder]
) -> None:
    """After one of them the order is live; after the other it can be sent again."""
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place", times=2))

    async def to_nobody(client: Any) -> None:
        client.urls["api"]["private"] = "http://127.0.0.1:1/api/v3"
        await limit(client, "nobody")

    kinds = []
    for story in (limit, to_nobody):
        with pytest.raises(ccxt.NetworkError) as raised:
            bare(run, story)
        kinds.append(type(raised.value))
    assert kinds == [ccxt.ExchangeNotAvailable] * 2

    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)
    opened.venue._client.urls["api"]["private"] = "http://127.0.0.1:1/api/v3"
    with pytest.raises(NotSent, match="no_connection"):
        submit(opened, order("wk2", quantity="0.002", limit_price="50000"))
    assert [one.client_order_id for one in run.exchange.orders()] == ["bare", "wk1"]


def test_trap_a_wrong_clock_is_a_network_error(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """Who retries after each NetworkError sends for ever what the exchange refuses for ever."""
    run.exchange.skew_clock(11_000)

    with pytest.raises(ccxt.NetworkError) as raised:
        bare(run, limit)

    assert type(raised.value) is ccxt.InvalidNonce
    with pytest.raises(Rejected, match="clock: "):
        submit(opened, resting)
    assert run.exchange.orders() == []


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_REQUESTS, Fault.IP_BANNED])
def test_trap_throttling_is_not_rate_limit_exceeded(
    fault: Fault, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """Who stays away only after RateLimitExceeded asks on until the address is banned."""
    plan = Plan(fault=fault, operation="place", times=2, retry_after_s=60)
    run.exchange.arm(plan)

    with pytest.raises(ccxt.DDoSProtection) as raised:
        bare(run, limit)

    assert not isinstance(raised.value, ccxt.RateLimitExceeded)
    with pytest.raises(Rejected, match="rate_limited: "):
        submit(opened, resting)
    asked = len(run.exchange.requests())
    with pytest.raises(NotSent, match="rate_limited: "):
        submit(opened, resting)
    assert len(run.exchange.requests()) == asked


def test_trap_an_order_that_is_too_small_is_not_an_invalid_order(
    run: RunningExchange, opened: Desk, order: Callable[..., NewOrder]
) -> None:
    """And ccxt, which knows the minimum, sends it."""

    async def too_small(client: Any) -> None:
        await client.create_order(BTC, "limit", "buy", "0.00002", "50000")

    with pytest.raises(ccxt.BadRequest) as raised:
        bare(run, too_small)

    assert not isinstance(raised.value, ccxt.InvalidOrder)
    sent = len(run.exchange.requests(operation="place"))
    with pytest.raises(Rejected, match="invalid_order: "):
        submit(opened, order("wk1", quantity="0.00002", limit_price="50000"))
    assert len(run.exchange.requests(operation="place")) == sent == 1


def test_trap_a_duplicate_is_an_invalid_order_although_the_order_is_live(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    async def twice(client: Any) -> None:
        await limit(client)
        await limit(client)

    with pytest.raises(ccxt.InvalidOrder) as raised:
        bare(run, twice)

    assert not isinstance(raised.value, ccxt.DuplicateOrderId)
    submit(opened, resting)
    with pytest.raises(OutcomeUnknown, match="duplicate"):
        submit(opened, resting)
    report = find(opened, resting)
    assert report is not None
    assert report.state is OrderState.ACCEPTED


def test_trap_a_market_order_with_a_price_is_sent_as_an_amount_of_money(
    run: RunningExchange, opened: Desk, order: Callable[..., NewOrder]
) -> None:
    async def with_price(client: Any) -> None:
        await client.create_order(BTC, "market", "buy", "0.002", "50000")

    bare(run, with_price)
    assert "quoteOrderQty" in run.exchange.requests(operation="place")[-1].params

    report = submit(opened, order("wk2", quantity="0.002"))

    sent = run.exchange.requests(operation="place")[-1].params
    assert "quoteOrderQty" not in sent
    assert Decimal(sent["quantity"]) == report.filled_quantity == Decimal("0.002")


def test_trap_a_revoked_key_looks_like_throttling(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    async def revoked(client: Any) -> None:
        await client.fetch_balance()
        run.exchange.revoke_key()
        await limit(client)

    with pytest.raises(ccxt.DDoSProtection):
        bare(run, revoked)

    with pytest.raises(Rejected) as raised:
        submit(opened, resting)
    assert str(raised.value).startswith("authentication: ")


def test_trap_away_from_home_most_codes_change_their_class() -> None:
    from ccxt import pro

    def classes(client: Any, url: str) -> dict[str, str]:
        found = {}
        for code in client.exceptions["spot"]["exact"]:
            body = f'{{"code":{code},"msg":"x"}}'
            try:
                client.handle_errors(
                    400, "", url, "POST", {}, body, client.parse_json(body), {}, ""
                )
            except ccxt.BaseError as error:
                found[code] = type(error).__name__
        return found

    home, away = "https://api.binance.com/api/v3/order", "http://127.0.0.1:1/api/v3/order"

    async def compare() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        plain = pro.binance()
        settings = CcxtSettings(
            exchange="binance", api_key="k", secret="s", config={"urls": {"www": "elsewhere"}}
        )
        ours = open_client(settings, CAPABILITIES["binance"], RateBudget())
        try:
            return classes(plain, home), classes(plain, away), classes(ours, away)
        finally:
            await close_client(ours)

    at_home, elsewhere, with_us = asyncio.run(compare())

    assert len(at_home) > 250
    assert sum(at_home[code] != elsewhere[code] for code in at_home) > 200
    assert with_us == at_home


def test_trap_orders_over_the_socket_have_no_timeout(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    """So they are never sent that way, though it is quicker."""
    run.exchange.arm(Plan(fault=Fault.HANG_AFTER, operation="place"))

    async def over_socket(client: Any) -> bool:
        placing = asyncio.ensure_future(
            client.create_order_ws(
                BTC, "limit", "buy", "0.002", "50000", {"newClientOrderId": "bare"}
            )
        )
        done, _ = await asyncio.wait([placing], timeout=1.5)
        placing.cancel()
        return bool(done)

    assert bare(run, over_socket) is False
    submit(opened, resting)
    assert run.exchange.requests(client_order_id="wk1")[0].transport == "rest"


def test_trap_a_socket_that_closes_takes_the_answer_of_a_live_order_with_it(
    run: RunningExchange,
) -> None:
    run.exchange.arm(Plan(fault=Fault.CLOSE_AFTER, operation="place"))

    async def over_socket(client: Any) -> None:
        await client.create_order_ws(
            BTC, "limit", "buy", "0.002", "50000", {"newClientOrderId": "bare"}
        )

    with pytest.raises(ccxt.NetworkError):
        bare(run, over_socket)

    assert len(run.exchange.orders_with("bare")) == 1
