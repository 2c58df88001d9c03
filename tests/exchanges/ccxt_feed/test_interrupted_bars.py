"""What a stream has told of a bar before it broke is not taken for the whole of it."""

import asyncio
from contextlib import suppress
from random import Random
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_feed import CcxtFeed
from exchanges.ccxt_settings import CcxtSettings
from exchanges.feed_candles import FeedCandles
from exchanges.feed_line import Line
from exchanges.feed_settings import FeedItem
from exchanges.source import SourceStats
from messages.ids import NS_PER_MS, NS_PER_S
from messages.market import Candle
from tests.exchanges.feed_run import LAZY, request
from tests.exchanges.live import BTC

MINUTE_MS = 60_000
OPENS_MS = 1_700_000_040_000 // MINUTE_MS * MINUTE_MS


class Streaming:
    """A client of ccxt's shape, whose cache lives as long as itself; its REST is down."""

    id = "binance"

    def __init__(self) -> None:
        self.has = {"watchOHLCV": True}
        self.trades: dict[str, Any] = {}
        self.ohlcvs: dict[str, dict[str, list[Any]]] = {}
        self.said: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.is_all_taken = asyncio.Event()

    async def watch_ohlcv(self, symbol: str, timeframe: str) -> list[Any]:
        if self.said.empty():
            self.is_all_taken.set()
        row = await self.said.get()
        kept = self.ohlcvs.setdefault(symbol, {}).setdefault(timeframe, [])
        kept[:] = [*(one for one in kept if one[0] != row[0]), row]
        return [row]

    async def fetch_ohlcv(self, *_: object) -> list[Any]:
        raise ConnectionError("503")

    async def close_ws_clients(self) -> None:
        """Have nothing to close."""


class Interrupted:
    """A feed of one symbol, within a bar, whose stream tells what it is given to tell."""

    def __init__(self) -> None:
        self.now_ms, self.monotonic_ns = OPENS_MS + 30_000, 0
        self.client, self.told = Streaming(), list[FeedItem]()
        asked, stats = request(), SourceStats()
        self.feed = CcxtFeed(CcxtSettings(exchange="binance"), asked, rng=Random(5), patience=LAZY)
        next_ns = OPENS_MS * NS_PER_MS
        candles = FeedCandles(BTC, asked, LAZY, stats, next_ns, lambda: self.monotonic_ns)
        self.line = Line(candles, asked, stats, lambda: self.monotonic_ns)
        self.line.tell = self.told.append
        feed: Any = self.feed
        feed._client, feed._listing = self.client, feed._listing_of([self.line])

    def clock(self) -> int:
        return self.now_ms * NS_PER_MS

    async def follow(self, *rows: list[Any]) -> list["asyncio.Future[Any]"]:
        """Begin a connection whose stream tells this; give what waits for more."""
        self.line.interrupted()
        self.client.is_all_taken.clear()
        for row in rows:
            self.client.said.put_nowait(row)
        following = self.feed._following().of([self.line])
        tasks = [asyncio.ensure_future(one) for one in following]
        await self.client.is_all_taken.wait()
        return [*tasks]

    async def ask_in_vain(self) -> None:
        """Come to the end of the bar, and ask REST for it until patience is over."""
        self.now_ms = OPENS_MS + MINUTE_MS + 1_000
        for second in (0, 3, 6, 11):
            self.monotonic_ns = second * NS_PER_S
            with suppress(ConnectionError):
                await self.line.candles.catch_up(self.client, self.clock)


HALF = [OPENS_MS, "100", "101", "99", "100", "5"]
WHOLE = [OPENS_MS, "100", "101", "80", "80", "55"]
NEXT = [OPENS_MS + MINUTE_MS, "80", "80", "80", "80", "1"]


def told_after_a_break(*rows: list[Any]) -> list[str]:
    """Break within a bar, let a new connection tell this, and have REST away: give the volumes."""

    async def break_and_go_on() -> list[str]:
        market = Interrupted()
        await market.feed._end(await market.follow(HALF))
        tasks = await market.follow(*rows)
        await market.ask_in_vain()
        await market.feed._end(tasks)
        return [str(one.volume) for one in market.told if isinstance(one, Candle)]

    return asyncio.run(break_and_go_on())


def test_half_a_bar_of_a_broken_stream_is_not_told_as_whole_by_the_next_one() -> None:
    assert told_after_a_break(NEXT) == []


def test_a_bar_that_the_next_connection_tells_of_itself_is_told() -> None:
    assert told_after_a_break(WHOLE, NEXT) == ["55"]
