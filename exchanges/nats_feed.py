"""A market that another process publishes, over NATS JetStream. Transport only, never the truth.

Each connection goes through the phases of any live feed: connecting, backfilling, live, and what
ended it: stale or backoff. The stream is read from behind the last event that was taken, nothing
is acknowledged, and no more is asked for than there is room for. A publisher that is silent, or
says that its own market is not live, makes this one stale: the bus may be well all the same.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random

import msgspec

from exchanges.bus_address import BusAddress
from exchanges.bus_frames import NoFrame, pulse_subject
from exchanges.bus_liveness import Liveness, Stale, Standing
from exchanges.bus_past import Past
from exchanges.bus_reader import BusReader
from exchanges.feed_phases import FeedPhases
from exchanges.feed_settings import FeedFacts, FeedItem, FeedRequest
from exchanges.nats_answers import Stored, StreamFacts
from exchanges.nats_client import NatsClient
from exchanges.nats_gate import pass_bus_gate
from exchanges.nats_reading import BusLost
from exchanges.nats_successor import Successor
from exchanges.source import SourceStats
from messages.errors import VenueRefused
from messages.ids import NS_PER_MS, Symbol
from messages.market import FeedEnded, FeedPhase

Tell = Callable[[FeedItem], object]

_AT_ONCE = 256
"""Messages that are asked for together, at most."""
_HISTORY_SLACK = 4
"""Times the wanted history is looked back for: a quiet market leaves bars out."""


class BusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a market on the bus is followed."""

    clock: str = "real"
    """``real``; or ``market``: everything the stream has is to be acted on, as in a replay."""
    source: str = ""
    """What the stream must come from; empty for anything."""
    quiet_ms: int = 20_000
    """A publisher that has said nothing for so long is silent."""
    window: int = 1_024
    """Events that may be under way to who follows."""
    stable_ms: int = 30_000
    backoff_ms: int = 250
    backoff_max_ms: int = 15_000


class NatsFeed:
    """One stream's market. Every coroutine must run on one and the same loop.

    `took` may be called from any thread, and is how the followers say that they have room.
    """

    def __init__(
        self,
        address: BusAddress,
        request: FeedRequest,
        settings: BusSettings,
        *,
        rng: Random,
        utc_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.stats = SourceStats()
        """Any thread may read it."""
        self.place = 0
        """Where the stream has what is told now; read it in `tell`.

        Before the history is told it is 0, for nowhere: a next one has all of that to tell.
        """
        self._at = 0
        """How far the stream is read."""
        self._address, self._request, self._settings = address, request, settings
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns
        self._client: NatsClient | None = None
        self._facts: StreamFacts | None = None
        self._created = ""
        self._last = b""
        """What was taken last, as it was; empty where only its place is known."""
        self._reader = BusReader(address.stream, request, self.stats)
        backoff = (settings.backoff_ms, settings.backoff_max_ms)
        self._phases = FeedPhases(request.path, backoff, rng, utc_ns)
        self._tell: Tell = lambda _: None
        self._liveness = Liveness(monotonic_ns())
        self._successor = Successor(self._pass_gate)
        self._standing: Standing | None = None
        self._caught_up = False
        self._past: Past | None = None
        """What is to be told as history, over all connections until it is."""
        self._end: FeedEnded | None = None
        """Told once nothing is behind it: the recording may have been published, longer, later."""
        self._told = self._taken = 0
        self._has_room = asyncio.Event()

    async def open(self) -> FeedFacts:
        """Connect and pass the gate.

        Raises:
            VenueRefused: one sentence that says what is missing or wrong and what to do.
        """
        if self._client is None:
            self._client = NatsClient(self._address, str(self._request.path))
        try:
            self._facts = await self._pass_gate()
        except BaseException:
            await self.close()
            raise
        return FeedFacts(
            exchange=self._address.stream, skew_ms=None, streams=self._request.channels
        )

    async def _pass_gate(self) -> StreamFacts:
        assert self._client is not None, "it is open"
        clock, source = self._settings.clock, self._settings.source
        return await pass_bus_gate(self._client, self._request, clock, source)

    async def run(
        self,
        tell: Tell,
        since_ns: Mapping[Symbol, int] | None = None,
        place: int = 0,
        traded_ns: Mapping[Symbol, int] | None = None,
    ) -> None:
        """Tell until cancelled. `tell` is called on the loop and must neither block nor raise.

        `since_ns`, `place` and `traded_ns` say what is known already; unless it is something of
        each symbol, a real clock's last candles are told as history first.
        """
        self._tell = self._phases.tell = self._counting(tell)
        self.place = self._at = place
        closed_ns, traded_ns = dict(since_ns or {}), dict(traded_ns or {})
        has_history = bool(place or traded_ns) or closed_ns.keys() >= set(self._request.symbols)
        is_all_told = has_history or self._settings.clock == "market"
        self._past = None if is_all_told else Past(self._request)
        self._reader = BusReader(
            self._address.stream, self._request, self.stats, closed_ns, traded_ns
        )
        try:
            while True:
                self._phases.attempt += 1
                await self._phases.back_off(await self._session())
        finally:
            self._phases.say(FeedPhase.STOPPED)
            await self.close()

    async def close(self) -> None:
        """Let go of the connection."""
        client, self._client, self._facts = self._client, None, None
        if client is not None:
            await client.close()

    def took(self, count: int) -> bool:
        """Learn how many of the told items are done with; whether the loop is to be woken."""
        self._taken = count
        return not self._has_room.is_set()

    def wake(self) -> None:
        """Go on, now that there is room; on the loop."""
        self._has_room.set()

    # ------------------------------------------------------------ one connection

    async def _session(self) -> str:
        """Connect and follow until something breaks; give what broke."""
        self._standing, self._caught_up = None, False
        self._liveness = Liveness(self._monotonic_ns())
        self._phases.say(FeedPhase.CONNECTING)
        try:
            if self._facts is None:
                await self.open()
            assert self._client is not None, "it is open"
            began = self._client.closed.wait()
            jobs = (self._follow(), self._watch(), self._successor.watch(), began)
            tasks = [asyncio.ensure_future(job) for job in jobs]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                next(iter(done)).result()
                error: Exception = BusLost(self._client.reason)
            except (BusLost, Stale) as lost:
                error = lost
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except VenueRefused as refusal:
            error = refusal
        finally:
            await self.close()
        if isinstance(error, Stale):
            self._phases.say(FeedPhase.STALE, str(error))
        return str(error)

    async def _follow(self) -> None:
        client, facts, reader = self._client, self._facts, self._reader
        assert client is not None
        assert facts is not None
        if facts.created != self._created and self._created:
            reader.begin_anew()
            self.place = self._at = 0  # another stream under the same name
        elif not await self._is_where_we_were(client, facts):
            reader.go_on_by_time()
            self.place = self._at = 0
        elif self._at + 1 < facts.first:
            reader.go_on_by_time()  # what is missing shows by the numbers, where they are known
        self._created = facts.created
        self._liveness = Liveness(self._monotonic_ns())
        await client.listen(pulse_subject(self._address.stream), self._take_pulse)
        for subject in reader.tick_subjects:
            await client.listen(subject, self._take_tick)
        self._phases.say(FeedPhase.BACKFILLING)
        await self._read(client)

    async def _is_where_we_were(self, client: NatsClient, facts: StreamFacts) -> bool:
        """Whether the stream still has what we took last; a server may lose what it had stored.

        If not, all is read again: what was taken before is known by its time and number.
        """
        if not self._at:
            return False
        if self._at < facts.first:
            return True  # it keeps that no more
        there = await client.at(self._at)
        if there is None or self._last:
            return there is not None and there.payload == self._last
        return self._reader.may_have_told(there.subject, there.payload)

    async def _read(self, client: NatsClient) -> None:
        begins = self._at + 1 if self._at else 0
        since_ns = 0 if begins or self._settings.clock == "market" else self._looks_back_to_ns()
        reading = await client.read(
            self._reader.subjects, self._room, place=begins, since_ns=since_ns
        )
        left = reading.pending
        if not left:
            self._is_caught_up()
        async for stored in reading.messages():
            was_behind = left > 0
            if stored is not None:
                self._take(stored)
            # A stream lets go of what is too old also where nobody has read it yet.
            left = 0 if stored is None else min(left - 1, stored.behind)
            if was_behind and left <= 0:
                self._is_caught_up()
            if self._end is not None and (stored is None or not stored.behind):
                end, self._end = self._end, None
                self._tell_all([end])

    def _take(self, stored: Stored) -> None:
        items = self._reader.take(stored.subject, stored.payload, self._now_ns())
        self._at, self._last = stored.place, stored.payload
        if self._past is not None:
            for item in items:
                self._past.take(item)
        elif items and isinstance(items[-1], FeedEnded):
            self._take_end(items[-1], stored.subject)
        else:
            self._end = None if items else self._end
            self._tell_all(items)

    def _take_end(self, end: FeedEnded, subject: str) -> None:
        if self._settings.clock == "real":  # which has none, whoever says so
            self.stats.malformed += 1
            self.stats.note(f"{subject!r}: a live market has no end")
            return
        self._end = end

    def _tell_all(self, items: Sequence[FeedItem]) -> None:
        """Tell what belongs together: whoever has not had the last of it is told all again."""
        for item in items[:-1]:
            self._tell(item)
        self.place = self._at
        for item in items[-1:]:
            self._tell(item)

    def _is_caught_up(self) -> None:
        """What the stream had when we came is told; from now on it is what happens."""
        if self._past is not None:
            histories, self._past = self._past.histories(), None
            self._tell_all(histories)
        self._caught_up = True
        self._judge()

    def _looks_back_to_ns(self) -> int:
        """Give from which moment of publishing on all is read that is not known yet."""
        bars = _HISTORY_SLACK * (self._request.history + 2)
        known = [ns for ns in self._reader.known_since() if ns]
        back_ns = self._utc_ns() - bars * self._request.timeframe_ns
        return max(1, min([*known, back_ns] if known else [back_ns]))

    async def _room(self) -> int:
        """Wait until the followers have room for more than half of what may be under way."""
        window = self._settings.window
        while 2 * (room := window - (self._told - self._taken)) < window:
            self._has_room.clear()
            if 2 * (window - (self._told - self._taken)) < window:  # `took` came in between
                await self._has_room.wait()
        return min(room, _AT_ONCE)

    # ------------------------------------------------------------ is it alive?

    def _take_pulse(self, _: str, payload: bytes) -> None:
        try:
            utc_ns = None if self._settings.clock == "market" else self._utc_ns()
            self._liveness.hear(payload, self._monotonic_ns(), utc_ns)
        except NoFrame as error:
            self._reader.foreign += 1
            self.stats.malformed += 1
            self.stats.note(f"a pulse: {error}")
            return
        self._successor.hear(self._liveness.writer)
        self._phases.skew_ms = self._liveness.skew_ms
        self._judge()

    def _take_tick(self, subject: str, payload: bytes) -> None:
        for item in self._reader.take(subject, payload, self._now_ns()):
            self._tell(item)

    async def _watch(self) -> None:
        """Look whether the publisher is heard.

        Raises:
            Stale: it was silent for too long.
        """
        settings, began_ns = self._settings, self._monotonic_ns()
        while True:
            await asyncio.sleep(settings.quiet_ms / 4_000)
            now_ns = self._monotonic_ns()
            is_live = self._standing is not None and self._standing.phase is FeedPhase.LIVE
            if is_live and now_ns - began_ns > settings.stable_ms * NS_PER_MS:
                self._phases.attempt = 0
            if not self._is_over:
                self._liveness.check(now_ns, settings.quiet_ms)

    _is_over = False
    """A recording has told its end: nobody will be heard any more."""

    def _judge(self) -> None:
        """Tell a phase when it changed: what the publisher says of itself is ours too."""
        standing = self._liveness.standing()
        if self._caught_up and standing is not None and standing != self._standing:
            self._standing = standing
            self._phases.say(standing.phase, standing.reason)

    # ------------------------------------------------------------ small parts

    def _counting(self, tell: Tell) -> Tell:
        def told(item: FeedItem) -> None:
            self._told += 1
            if isinstance(item, FeedEnded):
                self._is_over = True
            tell(item)

        return told

    def _now_ns(self) -> int | None:
        """Give the exchange's time, as far as it is known; None where the market has its own."""
        if self._settings.clock == "market":
            return None
        return self._utc_ns() + (self._phases.skew_ms or 0) * NS_PER_MS
