"""The candles of one symbol of a live feed: as they are streamed, settled by what REST has.

REST is asked for the history, for what an interruption has left out, and for each candle that is
over; what the stream has told of it is compared, and stands in where REST has nothing.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from exchanges.candle_builder import Bar, CandleBuilder
from exchanges.ccxt_call import recorded
from exchanges.ccxt_gate import check_answer
from exchanges.ccxt_history import page_size
from exchanges.ccxt_market_rows import bars_of
from exchanges.feed_history import with_older
from exchanges.feed_settings import FeedItem, FeedRequest, FeedSettings
from exchanges.source import SourceStats
from messages.ids import NS_PER_MS, NS_PER_S, Symbol, TimestampNs
from messages.market import FeedGap, FeedHistory

PAGE = 500
_ANSWERS_MISSED_MAX = 3
_WINDOWS_MAX = 20
"""Of a hole, so many answers without a bar are passed at once; the next turn goes on."""

LEAP_NS = 86_400 * NS_PER_S
"""What is further ahead of its market, and of the exchange's clock, is no news of either."""
_TOO_FEW = 2
"""Of so many rows nobody knows which is the odd one."""

Now = Callable[[], int]
"""The venue's clock, in ns."""
Tell = Callable[[FeedItem], object]


class FeedCandles:
    """Lives on the loop of its client. It outlives connections, so no candle is told twice."""

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
        self.tell: Tell = lambda _: None
        self.builder = CandleBuilder(
            symbol, request.timeframe_ns, settings.grace_ms * NS_PER_MS, next_open_ns, stats
        )
        self._request, self._settings, self._stats = request, settings, stats
        self._monotonic_ns = monotonic_ns
        self._venue_now_ns: Now = lambda: -1
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
        self._due_since_ns, self._missed = None, 0
        self._bare_to_ns = 0

    def latest_ns(self, heard_ns: int = -1) -> int | None:
        """Give what nothing of this market can be later than; None while nothing is known of it.

        A market may be ahead of the exchange's clock: a local one that is run faster is.
        """
        newest_ns = max(self.builder.newest_ns, self.builder.next_open_ns or -1, heard_ns)
        return self._leap_from(newest_ns) if newest_ns > 0 else None

    def _latest_in(self, rows: Sequence[Sequence[Any]]) -> int | None:
        """Give the same where nothing is known: by where most rows of an answer stand, if any do.

        From the one in the middle no row is further than all of them would reach without a gap,
        unless there are gaps; and then the newest is not later than the exchange's clock.
        """
        opens_ns = sorted(bar.open_ns for bar in bars_of(rows, SourceStats()))
        if len(opens_ns) <= _TOO_FEW:
            return None
        reach_ns = len(opens_ns) * self._request.timeframe_ns
        return self._leap_from(opens_ns[len(opens_ns) // 2] + reach_ns)

    def _leap_from(self, newest_ns: int) -> int:
        leap_ns = max(LEAP_NS, 2 * self._request.timeframe_ns)
        return max(newest_ns, self._venue_now_ns()) + leap_ns

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

    async def bars(self, client: Any, since_ns: int | None, limit: int) -> list[Bar]:
        """Ask for bars from a moment on, or for the newest; those that are over and the last.

        Raises:
            Exception: ccxt's, or `Unclear`: REST could not be asked.
        """
        since_ms = None if since_ns is None else since_ns // NS_PER_MS
        timeframe = self._request.timeframe
        rows = await asked(client.fetch_ohlcv(self.symbol, timeframe, since_ms, limit))
        latest_ns = self.latest_ns() or self._latest_in(rows)
        bars = sorted(bars_of(rows, self._stats, latest_ns), key=lambda bar: bar.open_ns)
        known = self._last_bar
        if bars and (known is None or bars[-1].open_ns >= known.open_ns):
            self._last_bar = bars[-1]
        return bars

    def _tell_gaps(self) -> None:
        gaps, self.builder.gaps = self.builder.gaps, []
        for gap in gaps:
            self.tell_gap(gap.ts_from_ns, gap.ts_to_ns, gap.missing)

    def tell_gap(self, from_ns: int, to_ns: int, missing: int) -> None:
        """Tell that nothing is known of a span of time, or nothing of so many candles."""
        self.tell(
            FeedGap(
                feed=self._request.path,
                symbol=self.symbol,
                ts_from_ns=TimestampNs(from_ns),
                ts_to_ns=TimestampNs(to_ns),
                missing=missing,
            )
        )

    async def _begin(self, client: Any, venue_now_ns: Now) -> bool:
        """Ask for the candles before now and tell them as history; False when there are none."""
        wanted, asked_ns = max(1, self._request.history), venue_now_ns()
        rows = await self.bars(client, None, min(wanted + 2, PAGE))
        rows, is_cut = await self._with_older(client, rows, wanted + 1)
        candles = self.builder.settle(rows, asked_ns)
        kept = tuple(candles[-self._request.history :]) if self._request.history else ()
        if candles:
            self.builder.gaps.clear()
            missing = self._request.history - len(kept) if is_cut else 0
            self.tell(FeedHistory(symbol=self.symbol, candles=kept, missing=missing))
        return bool(candles)

    async def _with_older(
        self, client: Any, rows: list[Bar], wanted: int
    ) -> tuple[list[Bar], bool]:
        """Give these bars with those before them, and whether the exchange keeps some back."""
        if not rows or len(rows) >= wanted:
            return rows, False
        return await with_older(
            rows,
            lambda since_ns, limit: self.bars(client, since_ns, limit),
            wanted=wanted,
            page=min(PAGE, page_size(client, self.symbol)),
            timeframe_ns=self._request.timeframe_ns,
        )

    async def _settle(self, client: Any, venue_now_ns: Now, *, is_patient: bool) -> bool:
        self._venue_now_ns = venue_now_ns
        if self.builder.next_open_ns is None:
            return await self._begin(client, venue_now_ns)
        found = False
        while True:
            asked_ns, begun_ns = venue_now_ns(), self.builder.newest_ns
            bars = await self.bars(client, self.builder.next_open_ns, PAGE)
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
        newest = await self.bars(client, None, length)
        end_ns = newest[-1].open_ns + 1 if newest else next_ns
        windows = range(max(next_ns, self._bare_to_ns), end_ns, length_ns)
        for since_ns in windows[:_WINDOWS_MAX]:
            asked_ns, begun_ns = venue_now_ns(), self.builder.newest_ns
            bars = await self.bars(client, since_ns, length)
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


async def asked(question: Any) -> Any:
    """Await an answer.

    Raises:
        Unclear: it is none: HTML, or nothing, of which ccxt makes an empty list.
    """
    with recorded() as call:
        answer = await question
        if not answer:
            check_answer(call)
        return answer
