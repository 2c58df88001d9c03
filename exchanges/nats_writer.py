"""Publishes one feed's events to a JetStream stream: each once, in order, and alone.

Every publish says which message it follows in the stream. So many can be under way at once, and
still there is never a hole, never a double, and never a second publisher: whoever finds something
else there than it expects looks what it is, and either goes on behind it or gives up. An event is
done with when the server has acknowledged it; until then it is ours to send again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random

import msgspec

from exchanges.backoff import backoff_ms
from exchanges.bus_address import BusAddress, StreamLimits
from exchanges.bus_frames import (
    NoFrame,
    StreamHead,
    encoded,
    frame_of,
    message_id,
    stored_subjects,
)
from exchanges.bus_numbers import Numbers, Publishable, Reached, done_with
from exchanges.bus_under_way import Entry, UnderWay
from exchanges.nats_answers import Ack
from exchanges.nats_client import ANSWER_S, NatsClient
from exchanges.nats_ownership import OwnStream
from exchanges.nats_pulse import PULSE_S, Pulse
from exchanges.nats_reading import BusLost, NotLetIn
from exchanges.venue_loop import faults_of
from messages.errors import VenueRefused
from messages.market import FeedGap, FeedPhase, Tick

_MOST_UNDER_WAY = 512
_NOT_THERE = "start it, or correct --to"
_NO_ANSWER = f"the server did not acknowledge within {ANSWER_S:.0f} s"


class Fenced(Exception):
    """Another publisher writes to the stream; this one writes nothing more."""


class WriterState(msgspec.Struct):
    """How publishing goes. Written on the loop; any thread may read it."""

    phase: FeedPhase = FeedPhase.CONNECTING
    reason: str = ""
    attempt: int = 0
    retry_in_ms: int = 0
    next_index: int = 0
    """Every event of the feed below is in the stream."""
    published: int = 0
    repeated: int = 0
    """The stream had them already, from a publisher before."""
    ticks: int = 0
    foreign: int = 0
    """Payloads on our subjects that no publisher of ours has written."""
    waiting: int = 0


class NatsWriter:
    """Every coroutine, and `put`, `tick` and `feed_is`, runs on one and the same loop.

    `writer` names the process: what another one of the same name has published is ours.
    """

    def __init__(
        self,
        address: BusAddress,
        head: StreamHead,
        limits: StreamLimits,
        *,
        writer: str,
        rng: Random,
        utc_ns: Callable[[], int] = time.time_ns,
        backoff: tuple[int, int] = (250, 15_000),
        pulse_s: float = PULSE_S,
    ) -> None:
        self.state = WriterState()
        self._address, self._head = address, head
        self._rng, self._utc_ns, self._backoff_ms = rng, utc_ns, backoff
        self._pulse = Pulse(writer, utc_ns, pulse_s)
        self._writer, self._key = writer, rng.randbytes(16)
        self._numbers = Numbers(address.stream, self._writer, is_replayed=head.clock == "market")
        self._own = OwnStream(
            address,
            head,
            limits,
            self._numbers,
            self._found_foreign,
            writer=writer,
            pulse_s=pulse_s,
        )
        self._client: NatsClient | None = None
        self._has_trades = "trades" in head.channels
        self._queue: deque[tuple[Publishable, int]] = deque()
        self._under_way = UnderWay()
        self._after = 0
        """The place in the stream that the next publish follows."""
        self._follows = ""
        """And the name of what is there; empty right after we have looked."""
        self._sure = 0
        """Everything up to this place was looked at."""
        self._in_trouble = ""
        self._news = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._has_learnt = False
        self._tell: Callable[[WriterState], object] = lambda _: None
        self._is_open = False

    # ------------------------------------------------------------ what is published

    def put(self, events: Iterable[Publishable], first_index: int) -> None:
        """Take consecutive events of the feed, each with its place in it.

        A gap or the end takes the place of the event that follows. Gaps are those of trades: a
        candle that is missing shows by its time.
        """
        numbered = ((event, first_index + i) for i, event in enumerate(events))
        self._queue.extend(
            one for one in numbered if self._has_trades or not isinstance(one[0], FeedGap)
        )
        self.state.waiting = len(self._queue) + len(self._under_way)
        self._is_idle.clear()
        self._news.set()

    async def tick(self, tick: Tick) -> None:
        """Send a tick to whoever listens now; it is not kept."""
        made = self._numbers.frame(tick, 0, self._utc_ns())
        if made is not None and self._client is not None and self._is_open:
            self.state.ticks += 1
            try:
                await self._client.publish(made[0], encoded(made[1]))
            except BusLost:
                return

    def feed_is(self, phase: FeedPhase, reason: str, skew_ms: int | None) -> None:
        """Learn how the feed is that is published: bots are told at once, and with each pulse."""
        self._pulse.feed_is(phase, reason, skew_ms)

    # ------------------------------------------------------------ life

    async def open(self) -> Reached:
        """Connect, make or check the stream, learn what it has; give how far that is.

        Raises:
            VenueRefused: one sentence that says what is wrong and what to do.
        """
        client = self._client = NatsClient(self._address, f"publisher {self._writer}")
        try:
            await client.connect()
            await self._learn(client, is_first=True)
        except BusLost as error:
            await self.close()
            text = f"the NATS server {self._address.place} cannot be used ({error})"
            todo = "see to its options" if isinstance(error, NotLetIn) else _NOT_THERE
            raise VenueRefused(f"{text}: {todo}") from error
        except BaseException:
            await self.close()
            raise
        return self._numbers.reached(self._head.symbols)

    @property
    def next_index(self) -> int:
        """Where a feed that is shown from its beginning may go on."""
        return self._numbers.next_index

    async def run(self, tell: Callable[[WriterState], object]) -> None:
        """Publish until cancelled or fenced. `tell` gets the state when there is news in it.

        Raises:
            Fenced: another publisher has taken over.
        """
        self._tell = tell
        try:
            while True:
                self.state.attempt += 1
                reason = await self._session()
                await self._wait(reason)
        finally:
            await self.close()

    async def drain(self) -> None:
        """Wait until everything that was put is in the stream."""
        await self._is_idle.wait()

    async def close(self) -> None:
        """Say goodbye, if there is anybody to hear it, and let go of the connection."""
        client, self._client = self._client, None
        if client is None:
            return
        if self._is_open and client.is_open:
            self._is_open = False
            with suppress(BusLost):
                await self._pulse.goodbye(client, self._sure)
        await client.close()

    # ------------------------------------------------------------ one connection

    async def _session(self) -> str:
        self._phase(FeedPhase.CONNECTING, "")
        try:
            if self._client is None:
                client = self._client = NatsClient(self._address, f"publisher {self._writer}")
                await client.connect()
                if self._has_learnt:
                    await self._look(client)
                else:  # an incarnation before this one had passed the gate
                    await self._learn(client, is_first=False)
            client, self._in_trouble = self._client, ""  # what was said of another connection
            await client.open_acks(self._acknowledged)
            self._is_open = True
            self._phase(FeedPhase.LIVE, "")
            beat = self._pulse.beat(client, lambda: self._sure, self._check_answers)
            jobs = (self._pump(client), beat, client.closed.wait())
            tasks = [asyncio.ensure_future(job) for job in jobs]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for fault in faults_of(tasks):
                    raise fault
                return client.reason
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except BusLost as lost:
            return str(lost)
        finally:
            await self.close()

    async def _wait(self, reason: str) -> None:
        least_ms, most_ms = self._backoff_ms
        wait_ms = backoff_ms(self.state.attempt, least_ms, most_ms, self._rng)
        self._phase(FeedPhase.BACKOFF, reason, wait_ms)
        await asyncio.sleep(wait_ms / 1000)

    def _phase(self, phase: FeedPhase, reason: str, retry_in_ms: int = 0) -> None:
        state = self.state
        state.phase, state.reason, state.retry_in_ms = phase, reason, retry_in_ms
        self._tell(state)

    async def _pump(self, client: NatsClient) -> None:
        await self._send_again(client)
        while True:
            if self._in_trouble:
                await self._out_of_trouble(client)
            while self._queue and len(self._under_way) < _MOST_UNDER_WAY and not self._in_trouble:
                await self._send(client, self._next())
            self._settle()
            self._news.clear()
            if self._in_trouble or (self._queue and len(self._under_way) < _MOST_UNDER_WAY):
                continue
            await self._news.wait()

    def _next(self) -> Entry:
        event, index = self._queue.popleft()
        made = self._numbers.frame(event, index, self._utc_ns())
        entry = Entry(index=done_with(event, index), is_stored=made is None)
        if made is not None:
            entry.subject, entry.frame = made
            entry.name = message_id(made[0], made[1], self._key)
        self._under_way.add(entry)
        return entry

    async def _send(self, client: NatsClient, entry: Entry) -> None:
        if entry.frame is None or entry.is_stored:
            return
        await client.store(
            entry.subject,
            encoded(entry.frame),
            after=self._after,
            follows=self._follows,
            name=entry.name,
            token=self._under_way.sending(entry, time.monotonic()),
        )
        self._after += 1
        self._follows = entry.name

    async def _send_again(self, client: NatsClient) -> None:
        self._under_way.forget_answers()
        for entry in self._under_way:
            await self._send(client, entry)

    # ------------------------------------------------------------ what the server says

    def _acknowledged(self, token: int, ack: Ack) -> None:
        if not self._under_way.acknowledged(token, ack):
            return
        if ack.problem or ack.is_duplicate:
            self._in_trouble = ack.problem or "a message of this name was there"
            if ack.problem and not ack.is_out_of_step:
                self._in_trouble = f"lost:{ack.problem}"
        else:
            self._sure = max(self._sure, ack.place)
        self._news.set()

    def _settle(self) -> None:
        """Let go of what is stored, and say so."""
        state, before = self.state, self.state.next_index
        for entry in self._under_way.settled():
            state.next_index = max(state.next_index, entry.index + 1)
            state.published += entry.frame is not None
        state.repeated = self._numbers.repeated
        state.waiting = len(self._queue) + len(self._under_way)
        if not state.waiting:
            self._is_idle.set()
        if state.next_index != before:
            state.attempt = 0
            self._tell(state)

    async def _out_of_trouble(self, client: NatsClient) -> None:
        """Wait for the other answers, look what is there that we did not expect, and go on.

        Raises:
            BusLost: the stream is not to be had.
            Fenced: another publisher's event is there.
        """
        if self._in_trouble.startswith("lost:"):
            raise BusLost(self._in_trouble.removeprefix("lost:"))
        while self._under_way.is_unanswered:
            self._news.clear()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._news.wait()
            except TimeoutError:
                raise BusLost(_NO_ANSWER) from None
        await self._look(client)
        self._in_trouble = ""
        await self._send_again(client)

    async def _learn(self, client: NatsClient, *, is_first: bool) -> None:
        facts = await self._own.take(client, is_first=is_first)
        await self._own.learn(client)
        self._after, self._sure, self._follows = facts.last, facts.last, ""
        self.state.next_index = self._numbers.next_index
        self._has_learnt = True

    async def _look(self, client: NatsClient) -> None:
        """Learn what the stream has behind the last place that we know.

        It may have less: it was made anew, or has lost what it had acknowledged. Bots tell that.
        """
        facts = await self._own.take(client, is_first=False)
        if facts.last > self._sure:
            await self._look_at(client, max(self._sure + 1, facts.first), facts.last)
        self._after, self._sure, self._follows = facts.last, facts.last, ""

    async def _look_at(self, client: NatsClient, first: int, last: int) -> None:
        async def room() -> int:
            return _MOST_UNDER_WAY

        subjects = stored_subjects(self._address.stream)
        reading = await client.read(subjects, room, place=first)
        async for stored in reading.up_to(last):
            self._found(stored.subject, stored.payload)

    def _found_foreign(self) -> None:
        self.state.foreign += 1

    def _found(self, subject: str, payload: bytes) -> None:
        try:
            frame = frame_of(self._address.stream, subject, payload)
        except NoFrame:
            self._found_foreign()
            return
        if frame.writer != self._writer:
            self._is_open = False  # no goodbye: bots have a publisher still
            text = f"another publisher writes to the stream {self._address.stream}"
            raise Fenced(f"{text} at {self._address.place}: this one ends")
        self._under_way.found(subject, frame.sequence)

    def _check_answers(self) -> None:
        """Pass while every publish is answered in time.

        Raises:
            BusLost: one is not.
        """
        oldest_s = self._under_way.oldest_s()
        if oldest_s and time.monotonic() - oldest_s > ANSWER_S:
            raise BusLost(_NO_ANSWER)
