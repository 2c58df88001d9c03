"""The faults of streams strike OKX's private one, too."""

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange
from exchanges.local.settings import Profile
from tests.exchanges.local.okx_socket import ORDERS, okx_socket
from tests.exchanges.local.streaming import place_now

NEW, ONE, TWO, THREE = "0", "0.01", "0.02", "0.03"


@pytest.fixture
def profile() -> Profile:
    return Profile.OKX


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "fills"),
    [
        (None, [NEW, ONE, TWO, THREE]),
        (StreamFault.DUPLICATE_EVENT, [NEW, ONE, ONE, TWO, THREE]),
        (StreamFault.DROPPED_EVENT, [NEW, TWO, THREE]),
        (StreamFault.OUT_OF_ORDER, [NEW, TWO, ONE, THREE]),
        (StreamFault.LATE_EVENT, [NEW, TWO, THREE, ONE]),
    ],
)
def test_events_as_faults_want_them(
    run: RunningExchange, client: Any, fault: StreamFault | None, fills: list[str]
) -> None:
    if fault is not None:
        plan = StreamPlan(fault=fault, event="orders", client_order_id="a*", nth=2, delay_ms=400)
        run.exchange.arm_stream(plan)

    async def story() -> Any:
        async with okx_socket(run, ORDERS) as ws:
            place_now(client, "a1", 0.03)
            for _ in range(3):
                run.exchange.fill_order("a1", Decimal("0.01"))
            frames = [await ws.receive_json(timeout=60) for _ in fills]
            return [frame["data"][0]["accFillSz"] for frame in frames]

    assert asyncio.run(story()) == fills


@pytest.mark.slow
def test_a_stalled_stream_says_nothing_at_all(run: RunningExchange, client: Any) -> None:
    async def story(fault: StreamFault, wait_s: float) -> Any:
        async with okx_socket(run, ORDERS) as ws:
            run.exchange.strike_streams(fault, "user")
            place_now(client, f"a{fault}".replace("_", ""))
            await ws.send_str("ping")
            return await ws.receive_str(timeout=wait_s)

    assert asyncio.run(story(StreamFault.STALL_WITH_PONGS, 60)) == "pong"
    with pytest.raises(TimeoutError):
        asyncio.run(story(StreamFault.STALL, 0.5))


def test_a_lost_connection_and_one_that_goes_in_order(run: RunningExchange) -> None:
    async def story(fault: StreamFault) -> Any:
        async with okx_socket(run, ORDERS) as ws:
            run.exchange.strike_streams(fault)
            return await ws.receive(timeout=60)

    dropped, closed = (asyncio.run(story(one)) for one in (StreamFault.DROP, StreamFault.CLOSE))

    assert dropped.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert closed.type is aiohttp.WSMsgType.CLOSE


def test_the_exchange_announces_that_it_goes(run: RunningExchange) -> None:
    async def story() -> Any:
        async with okx_socket(run, ORDERS) as ws:
            run.exchange.strike_streams(StreamFault.SERVER_SHUTDOWN)
            return await ws.receive_json(timeout=60), (await ws.receive(timeout=60)).type

    told, then = asyncio.run(story())

    assert (told["event"], told["code"]) == ("notice", "64008")
    assert then is aiohttp.WSMsgType.CLOSE


def test_events_do_not_end_without_their_connection(run: RunningExchange, client: Any) -> None:
    async def story() -> Any:
        async with okx_socket(run, ORDERS) as ws:
            run.exchange.strike_streams(StreamFault.STREAM_TERMINATED)
            place_now(client, "a")
            return (await ws.receive_json(timeout=60))["data"][0]["state"]

    assert asyncio.run(story()) == "live"


def test_a_subscription_may_be_refused(run: RunningExchange) -> None:
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, stream="user"))

    async def story() -> Any:
        async with okx_socket(run) as ws:
            told = []
            for _ in range(2):
                await ws.send_json({"op": "subscribe", "args": [ORDERS]})
                told.append((await ws.receive_json(timeout=60))["event"])
            return told

    assert asyncio.run(story()) == ["error", "subscribe"]
