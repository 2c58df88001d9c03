"""A live market through ccxt: kept up, completed by REST, and never trusted to be alive.

Each connection goes through phases that are told: connecting, backfilling, live, and what ended
it: stale or backoff. Whether it lives is judged by `feed_oversight`; one that does not is replaced.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from exchanges.ccxt_client import check_decoder, close_client, open_client
from exchanges.ccxt_feed_gate import ask_skew_ms, pass_feed_gate
from exchanges.ccxt_gate import refusing
from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_watch import Stale
from exchanges.connecting import connecting
from exchanges.feed_backfill import backfill_all
from exchanges.feed_candles import FeedCandles, Tell
from exchanges.feed_endings import is_of_a_symbol, leaves_of, reason_of
from exchanges.feed_followers import Followers
from exchanges.feed_line import Line
from exchanges.feed_listing import FeedListing
from exchanges.feed_oversight import Oversight
from exchanges.feed_phases import FeedPhases
from exchanges.feed_settings import Channel, FeedFacts, FeedRequest, FeedSettings
from exchanges.rate_budget import RateBudget
from exchanges.source import SourceStats
from exchanges.steady_clock import SteadyClock
from exchanges.venue_loop import faults_of
from messages.errors import VenueRefused
from messages.ids import NS_PER_MS, Symbol
from messages.market import FeedPhase

_POLL_S = 0.02
"""ccxt has no event for "connected"."""


class CcxtFeed:
    """One exchange's market. Every coroutine must run on one and the same loop.

    `budget` is shared with the venue of the same address; `rng` spreads reconnects.
    """

    def __init__(
        self,
        settings: CcxtSettings,
        request: FeedRequest,
        *,
        rng: Random,
        patience: FeedSettings | None = None,
        budget: RateBudget | None = None,
        utc_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.stats = SourceStats()
        """Any thread may read it."""
        self._settings, self._request = settings, request
        self._patience = patience or FeedSettings()
        self._budget = budget or RateBudget()
        backoff = (self._patience.backoff_ms, self._patience.backoff_max_ms)
        self._fallen_back = ""
        """Which markets show again what was told already, in words."""
        self._phases = FeedPhases(request.path, backoff, rng, utc_ns)
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns
        self._clock = SteadyClock(utc_ns, monotonic_ns)
        self._client: Any = None
        self._facts: FeedFacts | None = None
        self._listing = self._listing_of(())
        self._tell: Tell = lambda _: None

    async def open(self) -> FeedFacts:
        """Make the client and pass the gate.

        Raises:
            VenueRefused: one sentence that says what is missing or wrong and what to do.
        """
        check_decoder(self._settings.exchange)
        if self._client is None:
            self._client = open_client(self._settings, None, self._budget)
        try:
            self._facts = await pass_feed_gate(
                self._client,
                self._settings.exchange,
                self._request,
                self._utc_ns,
                self._monotonic_ns,
            )
        except BaseException:
            await self.close()
            raise
        self._took_skew(self._facts.skew_ms)
        return self._facts

    async def run(self, tell: Tell, since_ns: Mapping[Symbol, int] | None = None) -> None:
        """Tell until cancelled. `tell` is called on the loop and must neither block nor raise.

        `since_ns` says for each symbol where the last candle that is known closed; without it
        the last candles are told as history first.
        """
        self._tell = self._phases.tell = tell
        lines = [self._line(symbol, since_ns or {}) for symbol in self._request.symbols]
        self._listing = self._listing_of(lines)
        try:
            while True:
                self._phases.attempt += 1
                await self._phases.back_off(await self._session())
        finally:
            self._phases.say(FeedPhase.STOPPED)
            await self.close()

    async def close(self) -> None:
        """Let go of all connections."""
        client, self._client, self._facts = self._client, None, None
        if client is not None:
            await close_client(client)

    async def listing(self) -> list[dict[str, Any]]:
        """Ask what the exchange lists, in ccxt's words; what is followed does not change by it.

        Raises:
            VenueRefused: it does not tell, or there is no connection now.
        """
        client, exchange = self._client, self._settings.exchange
        if client is None:
            raise VenueRefused(f"{exchange} is not connected now")
        with refusing(exchange, "list its markets"):
            rows: list[dict[str, Any]] = await client.fetch_markets()
        return rows

    # ------------------------------------------------------------ one connection

    async def _session(self) -> str:
        """Connect and follow until something breaks; give what broke."""
        self._phases.say(FeedPhase.CONNECTING)
        self._fallen_back = ""
        tasks: list[asyncio.Future[Any]] = []
        faults: list[BaseException] = []
        try:
            if self._facts is None:
                await self.open()
            await self._listing.renew(self._client)
            for line in self._listing.lines:
                line.interrupted()
            following = self._following()
            coroutines = [*following.of(self._listing.lines), self._live(following.streams)]
            tasks = [asyncio.ensure_future(one) for one in coroutines]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            faults = [leaf for fault in faults_of(tasks) for leaf in leaves_of(fault)]
        except VenueRefused as refusal:
            faults = [refusal]
        finally:
            await self._end(tasks)
        self._listing.doubt(faults)
        error = next(filter(is_of_a_symbol, faults), next(iter(faults), None))
        if isinstance(error, Stale):
            self._phases.say(FeedPhase.STALE, str(error))
        return reason_of(error)

    @property
    def _lacks(self) -> str:
        """Say what of a live market is not told; empty where all is."""
        return "; ".join(filter(None, (self._listing.left_out, self._fallen_back)))

    async def _end(self, tasks: "list[asyncio.Future[Any]]") -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close_ws_clients()
            # What nobody had the time to take would look like the first trade of the next
            # connection, and hide those that are missed before that: REST has it too.
            # And what was forming would be taken for a bar of the next connection, which has not
            # heard what was traded in it before.
            for line in self._listing.all:
                self._client.trades.pop(line.symbol, None)
                self._client.ohlcvs.pop(line.symbol, None)

    def _following(self) -> Followers:
        return Followers(
            self._client,
            self._settings.exchange,
            self._request,
            self._patience.poll_ms,
            self._venue_now_ns,
            self._utc_ns,
        )

    # ------------------------------------------------------------ candles, completed by REST

    async def _live(self, streams: set[Channel]) -> None:
        """Wait for the streams, ask for what was missed, then keep up."""
        exchange = self._settings.exchange
        if streams:
            await self._connected()
        self._phases.say(FeedPhase.BACKFILLING)
        await self._backfill(streams)
        self._phases.say(FeedPhase.LIVE, self._lacks)
        async with asyncio.TaskGroup() as group:
            for line in self._listing.lines:
                group.create_task(self._keep_up(line, is_polled=Channel.CANDLES not in streams))
                joined = line.join_trades(self._client, exchange, self._venue_now_ns)
                group.create_task(joined)
            group.create_task(self._oversight(streams).run())
            group.create_task(self._listing.watch(self._client))

    async def _backfill(self, streams: set[Channel]) -> None:
        async def ask(line: Line) -> None:
            await self._backfill_one(line, streams)

        await backfill_all(self._listing.lines, self._tell, ask)

    async def _backfill_one(self, line: Line, streams: set[Channel]) -> None:
        await line.candles.backfill(self._client, self._venue_now_ns)
        if Channel.TRADES in streams:
            await line.begin_trades(self._client, self._settings.exchange, self._venue_now_ns)
        if Channel.TICKS in streams:
            await line.poll_tick(self._client, self._utc_ns())
        for channel in streams:
            line.heard(channel)

    async def _connected(self) -> None:
        """Wait until every socket that ccxt has opened is connected."""
        async with connecting("the streams", self._patience.connect_ms):
            while True:
                sockets = list(self._client.clients.values())
                if sockets and all(socket.isConnected for socket in sockets):
                    return
                await asyncio.sleep(_POLL_S)

    async def _keep_up(self, line: Line, *, is_polled: bool) -> None:
        """Ask for each bar when it is over; again, ever slower, while REST has it not."""
        patience, pause_ms = self._patience, self._patience.ask_again_ms
        while True:
            await self._until_due(line, is_polled=is_polled)
            # A poll before a bar's end may find nothing: it must not put off the one at the end.
            is_early = is_polled and not line.candles.builder.is_due(self._venue_now_ns())
            if await line.candles.catch_up(self._client, self._venue_now_ns) or is_early:
                pause_ms = patience.ask_again_ms
                continue
            await asyncio.sleep(pause_ms / 1000)
            pause_ms = min(2 * pause_ms, patience.poll_ms)

    async def _until_due(self, line: Line, *, is_polled: bool) -> None:
        """Wait until a bar is over by the stream or by the exchange's clock, or to poll."""
        line.wake.clear()
        now_ns = self._venue_now_ns()
        if line.candles.builder.is_due(now_ns):
            return
        assert line.candles.builder.next_open_ns is not None, "nothing is due without history"
        end_ns = line.candles.builder.next_open_ns + self._request.timeframe_ns
        wait_ms = (end_ns - now_ns) // NS_PER_MS + self._patience.ask_after_ms
        if is_polled:
            wait_ms = min(wait_ms, self._patience.poll_ms)
        try:
            async with asyncio.timeout(max(1, wait_ms) / 1000):
                await line.wake.wait()
        except TimeoutError:
            return

    # ------------------------------------------------------------ is it alive, and its clock?

    def _oversight(self, streams: set[Channel]) -> Oversight:
        return Oversight(
            client=self._client,
            exchange=self._settings.exchange,
            lines=self._listing.lines,
            streams=streams,
            patience=self._patience,
            monotonic_ns=self._monotonic_ns,
            measure=self._measure_skew,
            is_clock_doubtful=lambda: self._clock.has_jumped,
            on_stable=self._phases.stable,
            on_fallen_back=self._note_fallen_back,
        )

    def _note_fallen_back(self, text: str) -> None:
        if text != self._fallen_back:
            self._fallen_back = text
            self._phases.say(FeedPhase.LIVE, self._lacks)

    async def _measure_skew(self) -> None:
        before = self._phases.skew_ms
        skew_ms = await ask_skew_ms(
            self._client, self._settings.exchange, self._utc_ns, self._monotonic_ns
        )
        self._took_skew(skew_ms)
        if before != self._phases.skew_ms:
            self._phases.say(FeedPhase.LIVE, self._lacks)

    def _took_skew(self, skew_ms: int | None) -> None:
        self._phases.skew_ms = skew_ms
        self._clock.set((skew_ms or 0) * NS_PER_MS)

    # ------------------------------------------------------------ small parts

    def _line(self, symbol: Symbol, since_ns: Mapping[Symbol, int]) -> Line:
        candles = FeedCandles(
            symbol,
            self._request,
            self._patience,
            self.stats,
            since_ns.get(symbol),
            self._monotonic_ns,
        )
        line = Line(candles, self._request, self.stats, self._monotonic_ns)
        line.tell = self._tell
        return line

    def _listing_of(self, lines: Sequence[Line]) -> FeedListing:
        limit_ms, monotonic_ns = self._patience.connect_ms, self._monotonic_ns
        return FeedListing(lines, self._request.timeframe, limit_ms, monotonic_ns)

    def _venue_now_ns(self) -> int:
        return self._clock.now_ns()
