"""One symbol of a live feed: its trades and prices as they come, and its candles."""

import asyncio
from collections.abc import Callable
from typing import Any

from exchanges.ccxt_market_rows import Told, bars_of, tick_of, trades_of
from exchanges.ccxt_numbers import milliseconds_ns
from exchanges.feed_candles import PAGE, FeedCandles, Now, Tell, asked
from exchanges.feed_settings import Channel, FeedRequest
from exchanges.source import GapSpan, SourceStats
from exchanges.trade_bars import TradeBars
from messages.market import Tick

KEPT_IDS = 4 * PAGE
"""Trades that are known again: REST is asked for one page of the newest, so none older returns."""
BOOK = 20
"""Levels that are asked for, of which the best counts: KuCoin has twenty or a hundred alone."""
_TRADE_PARAMS = {
    name: {"fetchTradesMethod": "publicGetTrades"} for name in ("binance", "binanceus")
}
"""What makes REST number trades as the stream does: Binance's default counts aggregates."""


class Line:
    """Lives on the loop of its client. It outlives connections, so nothing is told twice."""

    def __init__(
        self,
        candles: FeedCandles,
        request: FeedRequest,
        stats: SourceStats,
        monotonic_ns: Callable[[], int],
    ) -> None:
        self.symbol = candles.symbol
        self.heard_ns: dict[Channel, int] = {}
        """When each stream was last known to be alive."""
        self.wake = asyncio.Event()
        self.candles, self._builder = candles, candles.builder
        self.tick: Tick | None = None
        self._trade_bars = TradeBars(request.timeframe_ns)
        self._request, self._stats = request, stats
        self._monotonic_ns = monotonic_ns
        self._trade_ids: dict[str, None] = {}
        self._last_trade_ns = 0
        self._held: list[Any] | None = None
        """What the stream tells before the trades of an interruption are told; None: not now."""
        self._has_held = asyncio.Event()

    @property
    def tell(self) -> Tell:
        """Who is told of the symbol: of its candles, its trades and its prices."""
        return self.candles.tell

    @tell.setter
    def tell(self, tell: Tell) -> None:
        self.candles.tell = tell

    def interrupted(self) -> None:
        """Forget what was forming: a connection is over."""
        self.candles.interrupted()
        self._trade_bars.interrupted()
        self._held = [] if self._last_trade_ns else None
        self._has_held.clear()

    def heard(self, channel: Channel) -> None:
        """Note that a stream is alive."""
        self.heard_ns[channel] = self._monotonic_ns()

    # ------------------------------------------------------------ what the stream tells

    def take_bars(self, rows: Any, venue_now_ns: int) -> None:
        """Take updates of bars; they wake whoever waits for one to be over."""
        self.heard(Channel.CANDLES)
        for bar in bars_of(rows, self._stats, self._latest_ns()):
            self._builder.stream(bar)
        self._wake_if_due(venue_now_ns)

    def stream_trades(self, rows: list[Any], venue_now_ns: int) -> None:
        """Take what the stream tells; after an interruption, not before all that it left out."""
        self.heard(Channel.TRADES)
        if self._held is None:
            self.take_trades(rows, venue_now_ns)
        elif rows:
            self._held += rows
            self._has_held.set()

    def take_trades(self, rows: Any, venue_now_ns: int) -> None:
        """Take trades: told if they are asked for, and bars in the making in any case."""
        self.heard(Channel.TRADES)
        tell = self.tell if Channel.TRADES in self._request.channels else None
        if self._builder.next_open_ns is not None:
            self._trade_bars.align(self._builder.next_open_ns)
        for one in trades_of(rows, self.symbol, self._stats, self._latest_ns()):
            trade = one.trade
            self._builder.begun(trade.ts_event_ns)
            bar = self._trade_bars.add(one.name, trade, one.folded)
            if bar is not None:
                self._builder.stream(bar)
            self._last_trade_ns = max(self._last_trade_ns, trade.ts_event_ns)
            if tell is not None and self._is_new(one):
                tell(trade)
        self._wake_if_due(venue_now_ns)

    def _latest_ns(self) -> int | None:
        return self.candles.latest_ns(self._last_trade_ns)

    def take_tick(self, row: Any, now_ns: int) -> None:
        """Take a best bid and ask; told if it changed."""
        self.heard(Channel.TICKS)
        tick = tick_of(row, self.symbol, now_ns)
        if tick is not None and not _same(tick, self.tick):
            self.tick = tick
            self.tell(tick)

    def _wake_if_due(self, venue_now_ns: int) -> None:
        if self._builder.is_due(venue_now_ns):
            self.wake.set()

    def _is_new(self, one: Told) -> bool:
        if one.name in self._trade_ids:
            self._stats.duplicate += 1
            return False
        self._trade_ids |= dict.fromkeys((*one.folded, one.name))
        while len(self._trade_ids) > KEPT_IDS:
            del self._trade_ids[next(iter(self._trade_ids))]
        return True

    async def begin_trades(self, client: Any, exchange: str, now: Now) -> None:
        """Ask for the trades of an interruption; at first, only learn where the stream begins.

        The stream counts from when the exchange has understood the subscription, which nobody
        tells. So what was missed is asked for again once the stream has told its first trade.
        """
        if self._held is None:
            told, latest_ns = await self._trades(client, exchange), self._latest_ns()
            rows = trades_of(told, self.symbol, SourceStats(), latest_ns)
            newest_ns = max((one.trade.ts_event_ns for one in rows), default=0)
            self._last_trade_ns = self._last_trade_ns or newest_ns
            return
        if not self._held:
            await self._take_missed(client, exchange, now)

    async def join_trades(self, client: Any, exchange: str, now: Now) -> None:
        """Wait for the stream's first trades, tell what was missed before them, then go on.

        Raises:
            Exception: ccxt's, or `Unclear`: REST could not be asked.
        """
        if self._held is None:
            return
        await self._has_held.wait()
        await self._take_missed(client, exchange, now)
        held, self._held = self._held, None
        self.take_trades(held, now())

    async def _take_missed(self, client: Any, exchange: str, now: Now) -> None:
        """Tell the trades that REST has between the last one told and the first one held.

        Where REST has no more of them, that is told as a gap.
        """
        last_ns = self._last_trade_ns
        rows = await self._trades(client, exchange)
        until_ns = milliseconds_ns(self._held[0].get("timestamp")) if self._held else None
        self._note_missed(rows, until_ns)
        missed = [
            row
            for row in rows
            if last_ns <= milliseconds_ns(row.get("timestamp"))
            and (until_ns is None or milliseconds_ns(row.get("timestamp")) <= until_ns)
        ]
        self.take_trades(missed, now())

    def _note_missed(self, rows: list[Any], until_ns: int | None = None) -> None:
        """Tell as a gap what lies between the last trade told and the first that is known now."""
        last_ns = self._last_trade_ns
        told = trades_of(rows, self.symbol, SourceStats())
        found = [one.trade.ts_event_ns for one in told]
        known_ns = min([*found, *([] if until_ns is None else [until_ns])], default=last_ns)
        if known_ns > last_ns > 0:
            self._trade_bars.interrupted()
            if Channel.TRADES in self._request.channels:
                self._stats.note_gap(GapSpan(last_ns, known_ns, 0))
                self.candles.tell_gap(last_ns, known_ns, 0)

    async def is_behind(self, client: Any, exchange: str, channel: Channel) -> str:
        """Say what REST knows that the stream has not told; empty when it is merely quiet."""
        if channel is Channel.CANDLES:
            # The newest may be empty, and hide one that was traded since the stream was heard.
            silent_ns = self._monotonic_ns() - self.heard_ns[channel]
            limit = min(PAGE, 2 + silent_ns // self._request.timeframe_ns)
            bars = await self.candles.bars(client, None, limit)
            if any(map(self._builder.is_behind, bars)):
                return f"a newer candle of {self.symbol}"
        elif channel is Channel.TRADES:
            told, latest_ns = await self._trades(client, exchange, 5), self._latest_ns()
            found = trades_of(told, self.symbol, self._stats, latest_ns)
            if any(one.trade.ts_event_ns > self._last_trade_ns for one in found):
                return f"a newer trade of {self.symbol}"
        else:
            tick = tick_of(await asked(client.fetch_order_book(self.symbol, BOOK)), self.symbol, 1)
            if tick is not None and not _same(tick, self.tick):
                return f"another best price of {self.symbol}"
        return ""

    async def poll_trades(self, client: Any, exchange: str, venue_now_ns: int) -> None:
        """Ask for the newest trades, where there is no stream of them."""
        rows = await self._trades(client, exchange)
        self._note_missed(rows)
        self.take_trades(rows, venue_now_ns)

    async def poll_tick(self, client: Any, now_ns: int) -> None:
        """Ask for the best prices, where there is no stream of them."""
        self.take_tick(await asked(client.fetch_order_book(self.symbol, BOOK)), now_ns)

    async def _trades(self, client: Any, exchange: str, limit: int = PAGE) -> list[Any]:
        params = _TRADE_PARAMS.get(exchange, {})
        rows: list[Any] = await asked(client.fetch_trades(self.symbol, None, limit, params))
        return rows


def _same(one: Tick, other: Tick | None) -> bool:
    return other is not None and (one.bid_price, one.ask_price) == (
        other.bid_price,
        other.ask_price,
    )
