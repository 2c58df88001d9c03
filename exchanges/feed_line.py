"""One symbol of a live feed: what was told of it, and what REST is asked for."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from exchanges.candle_builder import Bar, CandleBuilder
from exchanges.ccxt_call import recorded
from exchanges.ccxt_gate import check_answer
from exchanges.ccxt_history import page_size
from exchanges.ccxt_market_rows import bars_of, tick_of, trades_of
from exchanges.ccxt_numbers import milliseconds_ns
from exchanges.feed_settings import Channel, FeedItem, FeedRequest, FeedSettings
from exchanges.source import GapSpan, SourceStats
from exchanges.trade_bars import TradeBars
from messages.ids import NS_PER_MS, NS_PER_S, Symbol, TimestampNs
from messages.market import FeedGap, FeedHistory, Tick

PAGE = 500
KEPT_IDS = 4 * PAGE
"""Trades that are known again: REST is asked for one page of the newest, so none older returns."""
_ANSWERS_MISSED_MAX = 3
_WINDOWS_MAX = 20
"""Of a hole, so many answers without a bar are passed at once; the next turn goes on."""
_TRADE_PARAMS = {
    name: {"fetchTradesMethod": "publicGetTrades"} for name in ("binance", "binanceus")
}
"""What makes REST number trades as the stream does: Binance's default counts aggregates."""

Tell = Callable[[FeedItem], object]
Now = Callable[[], int]
"""The venue's clock, in ns."""


class Line:
    """Lives on the loop of its client. It outlives connections, so nothing is told twice."""

    def __init__(
        self,
        symbol: Symbol,
        request: FeedRequest,
        settings: FeedSettings,
        stats: SourceStats,
        next_open_ns: int | None,
        monotonic_ns: Callable[[], int],
    ) -> None:
        self.symbol = symbol
        self.heard_ns: dict[Channel, int] = {}
        """When each stream was last known to be alive."""
        self.wake = asyncio.Event()
        self.tell: Tell = lambda _: None
        self.builder = CandleBuilder(
            symbol, request.timeframe_ns, settings.grace_ms * NS_PER_MS, next_open_ns, stats
        )
        self.tick: Tick | None = None
        self._trade_bars = TradeBars(request.timeframe_ns)
        self._request, self._settings, self._stats = request, settings, stats
        self._monotonic_ns = monotonic_ns
        self._trade_ids: dict[str, None] = {}
        self._last_trade_ns = 0
        self._held: list[Any] | None = None
        """What the stream tells before the trades of an interruption are told; None: not now."""
        self._has_held = asyncio.Event()
        self._due_since_ns: int | None = None
        self._missed = 0
        self._back_since_ns: int | None = None
        self._last_bar: Bar | None = None
        """The newest that REST has shown."""
        self._bare_to_ns = 0
        """Up to where a hole is known, whose end was not reached yet."""

    def interrupted(self) -> None:
        """Forget what was forming: a connection is over."""
        self.builder.interrupted()
        self._trade_bars.interrupted()
        self._held = [] if self._last_trade_ns else None
        self._has_held.clear()
        self._due_since_ns, self._missed = None, 0
        self._bare_to_ns = 0

    def heard(self, channel: Channel) -> None:
        """Note that a stream is alive."""
        self.heard_ns[channel] = self._monotonic_ns()

    # ------------------------------------------------------------ what the stream tells

    def take_bars(self, rows: Any, venue_now_ns: int) -> None:
        """Take updates of bars; they wake whoever waits for one to be over."""
        self.heard(Channel.CANDLES)
        for bar in bars_of(rows, self._stats):
            self.builder.stream(bar)
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
        if self.builder.next_open_ns is not None:
            self._trade_bars.align(self.builder.next_open_ns)
        for name, trade in trades_of(rows, self.symbol, self._stats):
            self.builder.begun(trade.ts_event_ns)
            bar = self._trade_bars.add(name, trade)
            if bar is not None:
                self.builder.stream(bar)
            self._last_trade_ns = max(self._last_trade_ns, trade.ts_event_ns)
            if Channel.TRADES in self._request.channels and self._is_new(name):
                self.tell(trade)
        self._wake_if_due(venue_now_ns)

    def take_tick(self, row: Any, now_ns: int) -> None:
        """Take a best bid and ask; told if it changed."""
        self.heard(Channel.TICKS)
        tick = tick_of(row, self.symbol, now_ns)
        if tick is not None and not _same(tick, self.tick):
            self.tick = tick
            self.tell(tick)

    def _wake_if_due(self, venue_now_ns: int) -> None:
        if self.builder.is_due(venue_now_ns):
            self.wake.set()

    def _is_new(self, name: str) -> bool:
        if name in self._trade_ids:
            self._stats.duplicate += 1
            return False
        self._trade_ids[name] = None
        if len(self._trade_ids) > KEPT_IDS:
            del self._trade_ids[next(iter(self._trade_ids))]
        return True

    # ------------------------------------------------------------ what REST is asked for

    async def _begin(self, client: Any, venue_now_ns: Now) -> bool:
        """Ask for the candles before now and tell them as history; False when there are none."""
        wanted, asked_ns = max(1, self._request.history), venue_now_ns()
        rows = await self._bars(client, None, min(wanted + 2, PAGE))
        page = len(rows)
        while rows and len(rows) < wanted + 1:
            older = await self._older(client, rows[0].open_ns, page)
            if not older:
                break
            rows = older + rows
        candles = self.builder.settle(rows, asked_ns)
        kept = tuple(candles[-self._request.history :]) if self._request.history else ()
        if candles:
            self.builder.gaps.clear()
            self.tell(FeedHistory(symbol=self.symbol, candles=kept))
        return bool(candles)

    async def _older(self, client: Any, until_ns: int, page: int) -> list[Bar]:
        """Give the bars of a page before a moment; pages of old ones may be shorter."""
        timeframe_ns, found = self._request.timeframe_ns, list[Bar]()
        since_ns = until_ns - page * timeframe_ns
        while since_ns < until_ns:
            bars = await self._bars(client, since_ns, page)
            bars = [bar for bar in bars if since_ns <= bar.open_ns < until_ns]
            if not bars:
                break
            found += bars
            since_ns = bars[-1].open_ns + timeframe_ns
        return found

    async def backfill(self, client: Any, venue_now_ns: Now) -> None:
        """Ask for the history, or for what an interruption has left out.

        Raises:
            Exception: ccxt's, or `Unclear`: REST could not be asked.
        """
        await self._settle(client, venue_now_ns, is_patient=True)
        if self._last_bar is not None:
            self.builder.assume_told(self._last_bar)

    async def catch_up(self, client: Any, venue_now_ns: Now) -> bool:
        """Ask for every bar that is over and not told yet; False when there was none.

        Raises:
            Exception: ccxt's, or `Unclear`: REST could not be asked, and the stream, even after
                a while, can't stand in for it.
        """
        began_ns = self._monotonic_ns()
        if self._due_since_ns is None:
            self._due_since_ns = began_ns
        is_patient = began_ns - self._due_since_ns < self._settings.confirm_ms * NS_PER_MS
        try:
            found = await self._settle(client, venue_now_ns, is_patient=is_patient)
            self._missed = 0
            if not found and not is_patient and self.builder.holds_back:
                found = self._release(venue_now_ns())
        except Exception:
            self._missed += 1
            found = not is_patient and self._release(venue_now_ns())
            if not found and not is_patient and self._missed >= _ANSWERS_MISSED_MAX:
                raise
        if found or not (self._missed or self.builder.holds_back):
            self._due_since_ns = None  # what nobody has seen is not waited for: the market is quiet
        return found

    async def _settle(self, client: Any, venue_now_ns: Now, *, is_patient: bool) -> bool:
        if self.builder.next_open_ns is None:
            return await self._begin(client, venue_now_ns)
        found = False
        while True:
            asked_ns, begun_ns = venue_now_ns(), self.builder.newest_ns
            bars = await self._bars(client, self.builder.next_open_ns, PAGE)
            is_given = self._take(bars, asked_ns, begun_ns, is_patient=is_patient)
            found = found or is_given
            if not is_given or not self.builder.is_due(venue_now_ns()):
                break
        return found or await self._cross_hole(client, venue_now_ns, is_patient=is_patient)

    async def _cross_hole(self, client: Any, venue_now_ns: Now, *, is_patient: bool) -> bool:
        """Ask on behind a hole that is longer than one answer reaches; False: nothing is there yet.

        Some exchanges answer for a page's length from `since` and no further, so that of a market
        that stood still each answer would be empty for ever. What REST has merely not yet is not
        passed over: it shows a later bar first, and then, asked again, none before it.
        """
        assert self.builder.next_open_ns is not None, "there is no hole without history"
        next_ns, length = self.builder.next_open_ns, min(PAGE, page_size(client, self.symbol))
        length_ns = length * self._request.timeframe_ns
        if venue_now_ns() < next_ns + length_ns:
            return False
        newest = await self._bars(client, None, length)
        end_ns = newest[-1].open_ns + 1 if newest else next_ns
        windows = range(max(next_ns, self._bare_to_ns), end_ns, length_ns)
        for since_ns in windows[:_WINDOWS_MAX]:
            asked_ns, begun_ns = venue_now_ns(), self.builder.newest_ns
            bars = await self._bars(client, since_ns, length)
            if any(bar.open_ns >= since_ns for bar in bars):
                return self._take(bars, asked_ns, begun_ns, is_patient=is_patient)
        self._bare_to_ns = next(iter(windows[_WINDOWS_MAX:]), 0)
        return False

    def _take(self, bars: list[Bar], asked_ns: int, begun_ns: int, *, is_patient: bool) -> bool:
        """Tell the candles of an answer that are over; False when there was none."""
        candles = self.builder.settle(bars, asked_ns, begun_ns=begun_ns, patient=is_patient)
        self._tell_gaps()
        for candle in candles:
            self.tell(candle)
        if candles:
            self._bare_to_ns = 0
        return bool(candles)

    def _release(self, venue_now_ns: int) -> bool:
        candles = self.builder.release(venue_now_ns)
        if candles:
            self._stats.note(f"{self.symbol}: candles as streamed, since REST did not have them")
        for candle in candles:
            self.tell(candle)
        return bool(candles)

    def _tell_gaps(self) -> None:
        gaps, self.builder.gaps = self.builder.gaps, []
        for gap in gaps:
            self._tell_gap(gap.ts_from_ns, gap.ts_to_ns, gap.missing)

    def _tell_gap(self, from_ns: int, to_ns: int, missing: int) -> None:
        self.tell(
            FeedGap(
                feed=self._request.path,
                symbol=self.symbol,
                ts_from_ns=TimestampNs(from_ns),
                ts_to_ns=TimestampNs(to_ns),
                missing=missing,
            )
        )

    async def begin_trades(self, client: Any, exchange: str, now: Now) -> None:
        """Ask for the trades of an interruption; at first, only learn where the stream begins.

        The stream counts from when the exchange has understood the subscription, which nobody
        tells. So what was missed is asked for again once the stream has told its first trade.
        """
        if self._held is None:
            rows = trades_of(await self._trades(client, exchange), self.symbol, SourceStats())
            newest_ns = max((trade.ts_event_ns for _, trade in rows), default=0)
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
        found = [trade.ts_event_ns for _, trade in trades_of(rows, self.symbol, SourceStats())]
        known_ns = min([*found, *([] if until_ns is None else [until_ns])], default=last_ns)
        if known_ns > last_ns > 0:
            self._trade_bars.interrupted()
            if Channel.TRADES in self._request.channels:
                self._stats.note_gap(GapSpan(last_ns, known_ns, 0))
                self._tell_gap(last_ns, known_ns, 0)

    # ------------------------------------------------------------ is the stream alive?

    def fallen_back(self, after_ns: int) -> str:
        """Say that the market shows times that were told already, once it has for so long.

        Empty where it does not: then the stream being alive means that there is news.
        """
        next_ns, now_ns = self.builder.next_open_ns, self._monotonic_ns()
        if next_ns is None or not self.builder.has_gone_back:
            self._back_since_ns = None
            return ""
        if self._back_since_ns is None:
            self._back_since_ns = now_ns
        if now_ns - self._back_since_ns < after_ns:
            return ""
        was = datetime.fromtimestamp(next_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return (
            f"the market of {self.symbol} has gone back to times that were told already: no candle"
            f" of it is told before {was}, where it was"
        )

    async def is_behind(self, client: Any, exchange: str, channel: Channel) -> str:
        """Say what REST knows that the stream has not told; empty when it is merely quiet."""
        if channel is Channel.CANDLES:
            bars = await self._bars(client, None, 2)
            if bars and self.builder.is_behind(bars[-1]):
                return f"a newer candle of {self.symbol}"
        elif channel is Channel.TRADES:
            found = list(
                trades_of(await self._trades(client, exchange, 5), self.symbol, self._stats)
            )
            if any(trade.ts_event_ns > self._last_trade_ns for _, trade in found):
                return f"a newer trade of {self.symbol}"
        else:
            tick = tick_of(await _asked(client.fetch_order_book(self.symbol, 5)), self.symbol, 1)
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
        self.take_tick(await _asked(client.fetch_order_book(self.symbol, 5)), now_ns)

    async def _trades(self, client: Any, exchange: str, limit: int = PAGE) -> list[Any]:
        params = _TRADE_PARAMS.get(exchange, {})
        rows: list[Any] = await _asked(client.fetch_trades(self.symbol, None, limit, params))
        return rows

    async def _bars(self, client: Any, since_ns: int | None, limit: int) -> list[Bar]:
        since_ms = None if since_ns is None else since_ns // NS_PER_MS
        timeframe = self._request.timeframe
        rows = await _asked(client.fetch_ohlcv(self.symbol, timeframe, since_ms, limit))
        bars = sorted(bars_of(rows, self._stats), key=lambda bar: bar.open_ns)
        known = self._last_bar
        if bars and (known is None or bars[-1].open_ns >= known.open_ns):
            self._last_bar = bars[-1]
        return bars


async def _asked(question: Any) -> Any:
    """Await an answer.

    Raises:
        Unclear: it is none: HTML, or nothing, of which ccxt makes an empty list.
    """
    with recorded() as call:
        answer = await question
        if not answer:
            check_answer(call)
        return answer


def _same(one: Tick, other: Tick | None) -> bool:
    return other is not None and (one.bid_price, one.ask_price) == (
        other.bid_price,
        other.ask_price,
    )
