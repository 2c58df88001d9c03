"""Streams and the WebSocket API, with the unmodified ccxt.pro."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt
import pytest

from exchanges.local.server import RunningExchange
from exchanges.local.settings import Profile
from tests.exchanges.local.streaming import BTC, Live, place, subscribed, user_socket, watching

EACH = [Profile.BINANCE, pytest.param(Profile.OKX, marks=pytest.mark.slow)]


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


@pytest.mark.parametrize("profile", EACH)
def test_an_order_is_watched_from_its_placement_to_its_end(
    run: RunningExchange, live: Live
) -> None:
    async def story(client: Any) -> Any:
        seen = []
        steps: list[Callable[[], Any]] = [
            lambda: place(client, "a"),
            lambda: asyncio.to_thread(run.exchange.fill_order, "a", Decimal("0.004")),
            lambda: client.cancel_order(None, BTC, {"clientOrderId": "a"}),
            lambda: place(client, "b"),
            lambda: asyncio.to_thread(run.exchange.fill_order, "b"),
        ]
        for step in steps:
            task = await watching(run, "user", client.watch_orders(BTC))
            await step()
            # ccxt changes the orders it gave: what was seen is written down at once.
            seen += [(one["clientOrderId"], one["status"], one["filled"]) for one in await task]
        return seen

    assert live(story) == [
        ("a", "open", 0),
        ("a", "open", 0.004),
        ("a", "canceled", 0.004),
        ("b", "open", 0),
        ("b", "closed", 0.01),
    ]


@pytest.mark.parametrize("profile", EACH)
def test_own_trades_are_watched_and_are_those_of_rest(run: RunningExchange, live: Live) -> None:
    async def story(client: Any) -> Any:
        task = await watching(run, "user", client.watch_my_trades(BTC))
        await client.create_order(BTC, "market", "buy", 0.01)
        return (await task)[0], (await client.fetch_my_trades(BTC))[0]

    told, asked = live(story)

    same = ("id", "order", "symbol", "side", "price", "amount", "takerOrMaker", "timestamp")
    assert [told[name] for name in same] == [asked[name] for name in same]


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
