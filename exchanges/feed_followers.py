"""What waits for each stream of a live market, and asks where there is none."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from exchanges.ccxt_feed_gate import stream_of
from exchanges.feed_line import Line
from exchanges.feed_oversight import UNANSWERED_MAX
from exchanges.feed_settings import Channel, FeedRequest

_BARS_AT_ONCE = 3


class Followers:
    """Of one connection. Its coroutines end by an error, or are cancelled."""

    def __init__(
        self,
        client: Any,
        exchange: str,
        request: FeedRequest,
        poll_ms: int,
        venue_now_ns: Callable[[], int],
        utc_ns: Callable[[], int],
    ) -> None:
        self._client, self._exchange = client, exchange
        self._request, self._poll_ms = request, poll_ms
        self._venue_now_ns, self._utc_ns = venue_now_ns, utc_ns

    @property
    def streams(self) -> set[Channel]:
        """The channels that are streamed; trades also where they stand in for candles."""
        wanted = set(self._request.channels)
        if stream_of(self._client, Channel.CANDLES) is None:
            wanted.add(Channel.TRADES)
        return {channel for channel in wanted if stream_of(self._client, channel)}

    def of(self, lines: Iterable[Line]) -> list[Coroutine[Any, Any, None]]:
        """Give what follows these symbols."""
        streams, wanted, found = self.streams, self._request.channels, []
        for line in lines:
            if stream_of(self._client, Channel.CANDLES):
                found.append(self._follow_candles(line))
            if Channel.TRADES in streams:
                found.append(self._follow_trades(line))
            elif Channel.TRADES in wanted:
                found.append(self._polling(self._poll_trades, line))
            if Channel.TICKS in streams:
                found.append(self._follow_ticks(line))
            elif Channel.TICKS in wanted:
                found.append(self._polling(self._poll_tick, line))
        return found

    async def _follow_candles(self, line: Line) -> None:
        client, timeframe = self._client, self._request.timeframe
        while True:
            rows = list(await client.watch_ohlcv(line.symbol, timeframe))
            # An update of an older bar is in ccxt's cache, and not in what it returns.
            cached = (client.ohlcvs.get(line.symbol) or {}).get(timeframe) or ()
            line.take_bars([*list(cached)[-_BARS_AT_ONCE:], *rows], self._venue_now_ns())

    async def _follow_trades(self, line: Line) -> None:
        client = self._client
        while True:
            rows = list(await client.watch_trades(line.symbol))
            cached = client.trades.get(line.symbol)
            if cached is not None:  # all of it is in `rows`, or was before
                cached.clear()
            line.stream_trades(rows, self._venue_now_ns())

    async def _follow_ticks(self, line: Line) -> None:
        client = self._client
        by_book = stream_of(client, Channel.TICKS) == "watchOrderBook"
        while True:
            if by_book:
                line.take_tick(await client.watch_order_book(line.symbol), self._utc_ns())
            else:
                for row in (await client.watch_bids_asks([line.symbol])).values():
                    line.take_tick(row, self._utc_ns())

    async def _polling(self, poll: Callable[[Line], Awaitable[None]], line: Line) -> None:
        missed = 0
        while True:
            await asyncio.sleep(self._poll_ms / 1000)
            try:
                await poll(line)
                missed = 0
            except Exception:
                missed += 1
                if missed >= UNANSWERED_MAX:
                    raise

    async def _poll_trades(self, line: Line) -> None:
        await line.poll_trades(self._client, self._exchange, self._venue_now_ns())

    async def _poll_tick(self, line: Line) -> None:
        await line.poll_tick(self._client, self._utc_ns())
