"""Every frame that streams send, as it comes out of the socket, against Binance's documentation."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchanges.local import stream_binance as wire
from exchanges.local.faults_streams import StreamFault
from exchanges.local.filters import Market
from exchanges.local.server import RunningExchange
from tests.exchanges.local.documented import (
    BALANCE_UPDATE,
    EXECUTION_REPORT,
    POSITION,
    SERVER_SHUTDOWN,
    STREAM_TERMINATED,
    STREAMS,
    check,
    of_combined,
    of_user,
)
from tests.exchanges.local.streaming import subscribed, user_socket
from tests.exchanges.local.test_conformance import LIMIT, MARKET_ORDER
from tests.exchanges.local.test_recordings import outline, recorded_json

Frames = list[dict[str, Any]]
SHAPES = {
    "outboundAccountPosition": POSITION,
    "balanceUpdate": BALANCE_UPDATE,
    "executionReport": EXECUTION_REPORT,
}


def heard(run: RunningExchange, path: str, stream: str, strike: Callable[[], Any]) -> Any:
    """Give the first frame of a market socket after something was done."""

    async def story() -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(run.urls.ws + path) as ws,
        ):
            await subscribed(run, stream)
            await asyncio.to_thread(strike)
            return await ws.receive_json(timeout=60)

    return asyncio.run(story())


def user_frames(run: RunningExchange, count: int, act: Callable[[], Any]) -> Frames:
    """Give so many frames of the account's own stream while something is done."""

    async def story() -> Frames:
        async with user_socket(run) as ws:
            await asyncio.to_thread(act)
            return [await ws.receive_json(timeout=60) for _ in range(count)]

    return asyncio.run(story())


@pytest.mark.parametrize("kind", STREAMS)
def test_market_frames(run: RunningExchange, kind: str) -> None:
    name, shape = STREAMS[kind]
    stream = f"btcusdt@{kind}"

    def play() -> None:
        run.exchange.advance(5)

    raw = heard(run, f"/ws/{stream}", stream, play)
    check(raw, shape)
    assert (raw.get("e", ""), raw["s"]) == (name, "BTCUSDT")
    combined = heard(run, f"/stream?streams={stream}", stream, play)
    check(combined, of_combined(shape))
    assert combined["stream"] == stream


def test_user_frames_of_orders_and_the_position_behind_each_change(
    run: RunningExchange, ask: Callable[..., Any]
) -> None:
    def act() -> None:
        ask("POST", "order", **LIMIT, newClientOrderId="mine")
        run.exchange.fill_order("mine", Decimal("0.004"))
        ask("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine")

    frames = user_frames(run, 6, act)

    kinds = [(frame["event"]["e"], frame["event"].get("x")) for frame in frames]
    position = ("outboundAccountPosition", None)
    report = "executionReport"
    assert kinds == [
        (report, "NEW"), position, (report, "TRADE"), position, (report, "CANCELED"), position,
    ]  # fmt: skip
    for frame in frames:
        event = frame["event"]
        whole = event | {"I": 1} if event["e"] == report else event  # ignored, as documented
        check(frame | {"event": whole}, of_user(SHAPES[event["e"]]))
    locked = [row for frame in frames[1::2] for row in frame["event"]["B"] if row["a"] == "USDT"]
    assert [row["l"] for row in locked] == ["500.00000000", "300.00000000", "0.00000000"]


def test_a_position_comes_at_a_fill_and_has_what_the_account_has(
    run: RunningExchange, ask: Callable[..., Any]
) -> None:
    frames = user_frames(run, 3, lambda: ask("POST", "order", **MARKET_ORDER))
    events = [frame["event"] for frame in frames]
    assert [event.get("x") for event in events] == ["NEW", "TRADE", None]
    balances = {row["asset"]: row for row in ask("GET", "account")[1]["balances"]}
    assert {row["a"] for row in events[2]["B"]} == {"BTC", "USDT"}, "what moved, and nothing else"
    for row in events[2]["B"]:
        there = balances[row["a"]]
        assert (row["f"], row["l"]) == (there["free"], there["locked"])


def test_user_frames_of_a_deposit(run: RunningExchange) -> None:
    update, position = user_frames(run, 2, lambda: run.exchange.deposit("USDT", Decimal(-5)))
    check(update, of_user(BALANCE_UPDATE))
    check(position, of_user(POSITION))
    assert (update["event"]["e"], update["event"]["d"]) == ("balanceUpdate", "-5.00000000")


def test_the_end_of_the_users_stream(run: RunningExchange) -> None:
    strike = partial(run.exchange.strike_streams, StreamFault.STREAM_TERMINATED)
    [told] = user_frames(run, 1, strike)
    check(told, of_user(STREAM_TERMINATED))
    assert told["event"]["e"] == "eventStreamTerminated"


def test_who_unsubscribes_is_told_that_the_stream_has_ended(run: RunningExchange) -> None:
    async def story() -> Frames:
        async with user_socket(run) as ws:
            for number in ("2", "3"):
                await ws.send_json({"id": number, "method": "userDataStream.unsubscribe"})
            return [await ws.receive_json(timeout=60) for _ in range(3)]

    answer, told, again = asyncio.run(story())

    assert (answer["id"], answer["status"], answer["result"]) == ("2", 200, {})
    check(told, of_user(STREAM_TERMINATED))
    assert again["id"] == "3", "there was none to end any more"


def test_the_exchange_says_that_it_goes_on_each_kind_of_connection(run: RunningExchange) -> None:
    def strike() -> None:
        run.exchange.strike_streams(StreamFault.SERVER_SHUTDOWN)

    stream = "btcusdt@trade"
    raw = heard(run, f"/ws/{stream}", stream, strike)
    combined = heard(run, f"/stream?streams={stream}", stream, strike)
    [api] = user_frames(run, 1, strike)

    check(raw, SERVER_SHUTDOWN)
    check(combined, of_combined(SERVER_SHUTDOWN))
    check(api, {"event": SERVER_SHUTDOWN})
    assert combined["stream"] == "!serverShutdown"
    assert {one["e"] for one in (raw, combined["data"], api["event"])} == {"serverShutdown"}


@pytest.mark.parametrize(
    "recording", ["cryptofeed/BINANCE.ws.1.0.xz", "hftbacktest/spot_btcusdt_20240808.gz"]
)
def test_the_best_prices_are_as_recorded(recorded: Path, recording: str) -> None:
    level = [(Decimal(1), Decimal(2))]
    ours = wire.book_ticker(level, level, Market(symbol="BTC/USDT"), 7)
    assert outline(ours) == outline(recorded_json(recorded, recording, '@bookTicker","data"'))


def test_a_side_of_the_book_without_orders_is_told_as_nothing(run: RunningExchange) -> None:
    ours = wire.book_ticker([], [], Market(symbol="BTC/USDT"), 7)
    check(ours, STREAMS["bookTicker"][1])
    assert {ours[name] for name in "bBaA"} == {"0.00000000"}
