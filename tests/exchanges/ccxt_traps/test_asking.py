"""What ccxt does to who asks and cancels: each trap with ccxt alone, then with our venue.

If one half of a test fails because ccxt has mended its ways, good: read the release, then change
what we do about it.
"""

import asyncio
from typing import Any

import ccxt
import pytest

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown
from messages.values import OrderState
from tests.exchanges.ccxt_traps.bare import bare, limit
from tests.exchanges.live import BTC, HASTE_MS, LIMIT_S, Desk, find, submit

pytestmark = pytest.mark.slow


def test_trap_order_not_found_is_no_proof(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=Fault.DELAYED_DELIVERY, operation="place", delay_ms=4_000))

    async def ask_too_early(client: Any) -> tuple[str, str]:
        usual_ms, client.timeout = client.timeout, HASTE_MS
        with pytest.raises(ccxt.RequestTimeout):
            await limit(client, recvWindow=20_000)
        client.timeout = usual_ms
        params = {"clientOrderId": "bare"}
        try:
            await client.fetch_order(None, BTC, params)
            first = "found"
        except ccxt.OrderNotFound:
            first = "not found"
        async with asyncio.timeout(LIMIT_S):
            while not run.exchange.orders_with("bare"):  # noqa: ASYNC110 - another thread's state
                await asyncio.sleep(0.02)
        return first, (await client.fetch_order(None, BTC, params))["status"]

    assert bare(run, ask_too_early) == ("not found", "open")
    with pytest.raises(OutcomeUnknown, match="no proof yet"):
        find(opened, resting)


def test_trap_a_lost_cancel_is_silently_repeated_and_comes_as_order_not_found(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="cancel"))

    async def cancel(client: Any) -> None:
        await limit(client)
        await client.cancel_order(None, BTC, {"origClientOrderId": "bare"})

    with pytest.raises(ccxt.OrderNotFound):
        bare(run, cancel)
    assert len(run.exchange.requests(operation="cancel")) == 2
    assert not run.exchange.orders_with("bare")[0].is_open

    submit(opened, resting)
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="cancel"))
    report = opened.call(opened.venue.cancel(resting.client_order_id, BTC))
    assert report.state is OrderState.CANCELED


def test_trap_the_answer_to_a_cancel_bears_another_id(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    async def cancel(client: Any) -> Any:
        await limit(client)
        return await client.cancel_order(None, BTC, {"origClientOrderId": "bare"})

    assert bare(run, cancel)["clientOrderId"] != "bare"

    submit(opened, resting)
    report = opened.call(opened.venue.cancel(resting.client_order_id, BTC))
    assert report.client_order_id == "wk1"
