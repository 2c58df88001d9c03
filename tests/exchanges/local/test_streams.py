"""Streams and the WebSocket API, with the unmodified ccxt.pro; and every stream fault."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
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

BTC = "BTC/USDT"
NEW, ONE, TWO, THREE = ("NEW", "0"), ("TRADE", "1"), ("TRADE", "2"), ("TRADE", "3")
TESTED_ALONE = {
    StreamFault.DUPLICATE_EVENT,
    StreamFault.DROPPED_EVENT,
    StreamFault.OUT_OF_ORDER,
    StreamFault.LATE_EVENT,
    StreamFault.DEPTH_GAP,
}

Live = Callable[..., Any]


def test_every_stream_fault_has_a_sentence_and_a_kind() -> None:
    assert set(STREAM_SENTENCES) == set(StreamFault)
    assert set(StreamFault) == ON_CONNECTIONS | AT_SUBSCRIBE | TESTED_ALONE


async def place(client: Any, name: str, price: float = 50_000, **params: Any) -> Any:
    return await client.create_order(
        BTC, "limit", "buy", 0.01, price, {"clientOrderId": name} | params
    )


async def subscribed(run: RunningExchange, stream: str) -> None:
    """Wait until the exchange knows of a subscription."""
    async with asyncio.timeout(5):
        while not any(stream in names for names in run.exchange.streams().values()):  # noqa: ASYNC110 - another thread's state
            await asyncio.sleep(0.01)


async def watching(run: RunningExchange, stream: str, watch: Any) -> "asyncio.Task[Any]":
    task = asyncio.create_task(watch)
    await subscribed(run, stream)
    return task


@pytest.mark.slow
def test_trades_and_candles_are_watched(run: RunningExchange, live: Live) -> None:
    async def story(client: Any) -> Any:
        trades = await watching(run, "btcusdt@trade", client.watch_trades(BTC))
        candles = await watching(run, "btcusdt@kline_1m", client.watch_ohlcv(BTC, "1m"))
        run.exchange.advance(30)
        return await trades, await candles

    trades, candles = live(story)

    assert trades[0]["symbol"] == BTC
    assert trades[0]["price"] > 0
    assert len(candles[0]) == 6


def test_the_ticker_is_watched(run: RunningExchange, live: Live) -> None:
    ticker = live(lambda client: client.watch_ticker(BTC))

    assert float(ticker["last"]) > 0
    assert ticker["low"] <= ticker["last"] <= ticker["high"]


@pytest.mark.slow
def test_the_watched_book_is_the_book(run: RunningExchange, live: Live) -> None:
    async def story(client: Any) -> Any:
        await client.watch_order_book(BTC)
        for _ in range(5):
            run.exchange.advance(5)
            book = await client.watch_order_book(BTC)
        levels = [[price, amount] for price, amount in book["bids"][:20]]
        return levels, (await client.fetch_order_book(BTC, 20))["bids"]

    watched, fetched = live(story)

    assert watched == fetched


@pytest.mark.slow
def test_the_best_prices_are_watched(run: RunningExchange, live: Live) -> None:
    best = live(lambda client: client.watch_bids_asks([BTC]))

    assert best[BTC]["bid"] < best[BTC]["ask"]


def test_an_order_is_watched_from_its_placement_to_its_end(
    run: RunningExchange, live: Live
) -> None:
    async def story(client: Any) -> Any:
        seen = []
        steps: list[Callable[[], Any]] = [
            lambda: place(client, "a"),
            lambda: asyncio.to_thread(run.exchange.fill_order, "a", Decimal("0.004")),
            lambda: client.cancel_order(None, BTC, {"origClientOrderId": "a"}),
        ]
        for step in steps:
            task = await watching(run, "user", client.watch_orders(BTC))
            await step()
            # ccxt changes the orders it gave: what was seen is written down at once.
            seen += [(one["clientOrderId"], one["status"], one["filled"]) for one in await task]
        return seen

    assert live(story) == [("a", "open", 0), ("a", "open", 0.004), ("a", "canceled", 0.004)]


def test_balances_and_own_trades_are_watched(run: RunningExchange, live: Live) -> None:
    async def story(client: Any) -> Any:
        balance = await watching(run, "user", client.watch_balance())
        trades = asyncio.create_task(client.watch_my_trades(BTC))
        await asyncio.sleep(0.05)
        await client.create_order(BTC, "market", "buy", 0.01)
        return await balance, await trades

    balance, trades = live(story)

    assert balance["BTC"]["total"] == 10.00999
    assert [(one["amount"], one["fee"]["currency"]) for one in trades] == [(0.01, "BTC")]


def test_a_deposit_is_told(run: RunningExchange) -> None:
    async def story() -> Any:
        async with user_socket(run) as ws:
            run.exchange.deposit("USDT", Decimal(5))
            return [(await ws.receive_json(timeout=60))["event"] for _ in range(2)]

    update, position = asyncio.run(story())

    assert (update["e"], update["a"], update["d"]) == ("balanceUpdate", "USDT", "5.00000000")
    assert (position["e"], position["B"][0]["f"]) == (
        "outboundAccountPosition",
        "1000005.00000000",
    )


def test_orders_go_over_the_socket_too(run: RunningExchange, live: Live) -> None:
    async def story(client: Any) -> Any:
        placed = await client.create_order_ws(
            BTC, "limit", "buy", 0.01, 50_000, {"newClientOrderId": "w"}
        )
        with pytest.raises(ccxt.InvalidOrder, match="Duplicate"):
            await client.create_order_ws(
                BTC, "limit", "buy", 0.01, 50_000, {"newClientOrderId": "w"}
            )
        found = await client.fetch_order_ws(placed["id"], BTC)
        canceled = await client.cancel_order_ws(placed["id"], BTC)
        return placed, found, canceled

    placed, found, canceled = live(story)

    assert (placed["clientOrderId"], placed["status"]) == ("w", "open")
    assert found["status"] == "open"
    assert canceled["status"] == "canceled"
    assert [one.transport for one in run.exchange.requests(client_order_id="w")] == ["ws", "ws"]


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


def test_who_does_not_answer_pings_is_dropped(serve: Callable[..., RunningExchange]) -> None:
    run = serve(ping_every_s=0.1, pong_within_s=0.25)

    async def story() -> Any:
        async with aiohttp.ClientSession() as session:
            url = run.urls.ws + "/ws/btcusdt@trade"
            async with session.ws_connect(url, autoping=False) as ws:
                return [(await ws.receive(timeout=60)).type for _ in range(4)]

    kinds = asyncio.run(story())

    assert kinds[0] is aiohttp.WSMsgType.PING
    assert kinds[-1] in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


def test_who_sends_too_much_is_closed(run: RunningExchange) -> None:
    async def story() -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(run.urls.ws + "/ws") as ws,
        ):
            for number in range(6):
                await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            while not ws.closed:
                await ws.receive(timeout=60)
            return ws.close_code

    assert asyncio.run(story()) == 1008


def test_combined_streams_carry_their_names(run: RunningExchange) -> None:
    async def story() -> Any:
        url = run.urls.ws + "/stream?streams=btcusdt@trade/ethusdt@miniTicker"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
            await subscribed(run, "btcusdt@trade")
            run.exchange.advance(5)
            seen: set[str] = set()
            while seen != {"btcusdt@trade", "ethusdt@miniTicker"}:
                seen.add((await ws.receive_json(timeout=60))["stream"])

    asyncio.run(story())


def subscription(run: RunningExchange) -> Any:
    settings = run.exchange.settings
    params = {"apiKey": settings.api_key, "timestamp": time.time_ns() // 1_000_000}
    text = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
    signature = hmac.new(settings.api_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    method = "userDataStream.subscribe.signature"
    return {"id": "1", "method": method, "params": params | {"signature": signature}}


class user_socket:  # noqa: N801 - it reads like the function that it stands for
    """A raw socket that has subscribed to the account's own stream."""

    def __init__(self, run: RunningExchange) -> None:
        self._run = run

    async def __aenter__(self) -> aiohttp.ClientWebSocketResponse:
        self._session = aiohttp.ClientSession()
        ws = await self._session.ws_connect(self._run.urls.ws + "/ws-api/v3", autoping=False)
        await ws.send_json(subscription(self._run))
        assert (await ws.receive_json(timeout=60))["result"] == {"subscriptionId": 0}
        self._ws = ws
        return ws

    async def __aexit__(self, *_: object) -> None:
        await self._ws.close()
        await self._session.close()
