"""What ccxt.pro makes of every stream fault, and of a reply that the WebSocket API loses."""

import asyncio
import json
import time
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt
import pytest

from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import (
    AT_SUBSCRIBE,
    ON_CONNECTIONS,
    STREAM_SENTENCES,
    StreamFault,
    StreamPlan,
)
from exchanges.local.server import RunningExchange
from tests.exchanges.local.streaming import BTC, Live, place, user_socket, watching

NEW, ONE, TWO, THREE = ("NEW", "0"), ("TRADE", "1"), ("TRADE", "2"), ("TRADE", "3")
TESTED_ALONE = {
    StreamFault.DUPLICATE_EVENT,
    StreamFault.DROPPED_EVENT,
    StreamFault.OUT_OF_ORDER,
    StreamFault.LATE_EVENT,
    StreamFault.DEPTH_GAP,
}


def test_every_stream_fault_has_a_sentence_and_a_kind() -> None:
    assert set(STREAM_SENTENCES) == set(StreamFault)
    assert set(StreamFault) == ON_CONNECTIONS | AT_SUBSCRIBE | TESTED_ALONE


@pytest.mark.slow
def test_a_lost_reply_on_the_socket_hangs_and_the_order_exists(
    run: RunningExchange, live: Live
) -> None:
    run.exchange.arm(Plan(fault=Fault.HANG_AFTER))

    async def story(client: Any) -> Any:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(
                client.create_order_ws(
                    BTC, "limit", "buy", 0.01, 50_000, {"newClientOrderId": "w"}
                ),
                0.3,
            )

    live(story)

    assert len(run.exchange.orders_with("w")) == 1


def test_a_broken_socket_says_nothing_of_the_order(run: RunningExchange, live: Live) -> None:
    run.exchange.arm(Plan(fault=Fault.CLOSE_AFTER))

    async def story(client: Any) -> Any:
        with pytest.raises(ccxt.NetworkError):
            await client.create_order_ws(
                BTC, "limit", "buy", 0.01, 50_000, {"newClientOrderId": "w"}
            )

    live(story)

    assert len(run.exchange.orders_with("w")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", [StreamFault.DROP, StreamFault.CLOSE])
def test_a_broken_stream_is_an_error_and_the_next_call_subscribes_again(
    run: RunningExchange, live: Live, fault: StreamFault
) -> None:
    async def story(client: Any) -> Any:
        task = await watching(run, "user", client.watch_orders(BTC))
        run.exchange.strike_streams(fault, "user")
        with pytest.raises(ccxt.NetworkError):
            await task
        await place(client, "missed")
        task = await watching(run, "user", client.watch_orders(BTC))
        await place(client, "seen")
        return await task

    # Nothing is replayed: what happened in between must be asked for.
    assert [one["clientOrderId"] for one in live(story)] == ["seen"]


def test_of_one_order_alone_nothing_is_told(run: RunningExchange, client: Any) -> None:
    plan = StreamPlan(
        fault=StreamFault.DROPPED_EVENT, stream="user", client_order_id="a*", times=None
    )
    run.exchange.arm_stream(plan)

    async def story() -> Any:
        async with user_socket(run) as ws:
            for name in ("a1", "b"):
                client.create_order(BTC, "limit", "buy", 0.01, 50_000, {"clientOrderId": name})
            client.cancel_order(None, BTC, {"clientOrderId": "a1"})
            client.cancel_order(None, BTC, {"clientOrderId": "b"})
            told: list[Any] = []
            while not told or told[-1] != "CANCELED":
                event = (await ws.receive_json(timeout=60))["event"]
                told += [event["x"]] if event["e"] == "executionReport" else []
            return told

    assert asyncio.run(story()) == ["NEW", "CANCELED"]


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
    run: RunningExchange, client: Any, fault: StreamFault | None, fills: Any
) -> None:
    if fault is not None:
        plan = StreamPlan(fault=fault, stream="user", event="executionReport", nth=2, delay_ms=400)
        run.exchange.arm_stream(plan)

    async def story() -> Any:
        async with user_socket(run) as ws:
            client.create_order(BTC, "limit", "buy", 0.03, 50_000, {"clientOrderId": "a"})
            for _ in range(3):
                run.exchange.fill_order("a", Decimal("0.01"))
            events: list[Any] = []
            while len(events) < len(fills):
                event = (await ws.receive_json(timeout=60))["event"]
                events += [event] if event["e"] == "executionReport" else []
            return events

    assert [(one["x"], one["z"][3]) for one in asyncio.run(story())] == fills


async def keep_moving(run: RunningExchange) -> None:
    while True:
        run.exchange.advance(2)
        await asyncio.sleep(0.05)


def test_a_lost_depth_event_is_a_gap_that_ccxt_notices(run: RunningExchange, live: Live) -> None:
    async def story(client: Any) -> Any:
        await client.watch_order_book(BTC)
        run.exchange.arm_stream(StreamPlan(fault=StreamFault.DEPTH_GAP))
        moving = asyncio.create_task(keep_moving(run))
        with pytest.raises(ccxt.ChecksumError):
            await asyncio.gather(*[client.watch_order_book(BTC) for _ in range(20)])
        await client.watch_order_book(BTC)
        moving.cancel()

    live(story)


def test_a_stalled_stream_says_nothing_at_all(run: RunningExchange, client: Any) -> None:
    async def story(fault: StreamFault, wait_s: float) -> Any:
        async with user_socket(run) as ws:
            run.exchange.strike_streams(fault, "user")
            client.create_order(BTC, "limit", "buy", 0.01, 50_000)
            await ws.ping(b"x")
            return (await ws.receive(timeout=wait_s)).type

    assert asyncio.run(story(StreamFault.STALL_WITH_PONGS, 60)) is aiohttp.WSMsgType.PONG
    with pytest.raises(TimeoutError):
        asyncio.run(story(StreamFault.STALL, 0.5))


def test_the_exchange_announces_that_it_goes(run: RunningExchange) -> None:
    async def story() -> Any:
        async with user_socket(run) as ws:
            run.exchange.strike_streams(StreamFault.SERVER_SHUTDOWN)
            return [await ws.receive(timeout=60) for _ in range(2)]

    told, closed = asyncio.run(story())

    assert json.loads(told.data)["event"]["e"] == "serverShutdown"
    assert closed.type is aiohttp.WSMsgType.CLOSE


def test_a_terminated_stream_leaves_the_socket_open_and_silent(
    run: RunningExchange, client: Any
) -> None:
    async def story() -> Any:
        async with user_socket(run) as ws:
            run.exchange.strike_streams(StreamFault.STREAM_TERMINATED)
            told = await ws.receive_json(timeout=60)
            client.create_order(BTC, "limit", "buy", 0.01, 50_000)
            with pytest.raises(TimeoutError):
                await ws.receive(timeout=0.3)
            return told["event"]["e"]

    assert asyncio.run(story()) == "eventStreamTerminated"


def test_a_subscription_may_be_refused(run: RunningExchange, live: Live) -> None:
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, stream="user"))

    async def story(client: Any) -> Any:
        # ccxt 4.5.90 trips over its own clearing up: it is not even an error of ccxt's.
        with pytest.raises((ccxt.BaseError, KeyError)):
            await client.watch_orders(BTC)

    live(story)

    assert not any("user" in names for names in run.exchange.streams().values())


@pytest.mark.slow
def test_a_subscription_may_be_slow(run: RunningExchange, live: Live) -> None:
    plan = StreamPlan(fault=StreamFault.SLOW_SUBSCRIBE, stream="user", delay_ms=300)
    run.exchange.arm_stream(plan)

    async def story(client: Any) -> Any:
        began = time.monotonic()
        await watching(run, "user", client.watch_balance())
        return time.monotonic() - began

    assert live(story) >= 0.3
