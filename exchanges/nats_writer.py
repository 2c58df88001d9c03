"""Publishes one feed's events to a JetStream stream, and keeps the connection to it.

What is stored is `exchanges.nats_chain`'s; ticks and pulses are only sent to who listens now.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random

from exchanges.backoff import backoff_ms
from exchanges.bus_address import BusAddress, StreamLimits
from exchanges.bus_frames import StreamHead, encoded
from exchanges.bus_numbers import Numbers, Publishable, Reached
from exchanges.nats_chain import Chain
from exchanges.nats_client import NatsClient
from exchanges.nats_ownership import OwnStream
from exchanges.nats_pulse import PULSE_S, Pulse
from exchanges.nats_reading import BusLost, NotLetIn
from exchanges.venue_loop import faults_of
from exchanges.writer_state import WriterState
from messages.errors import VenueRefused
from messages.market import FeedGap, FeedPhase, Tick

_NOT_THERE = "start it, or correct --to"


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
        self._writer = writer
        self._numbers = Numbers(address.stream, writer, is_replayed=head.clock == "market")
        own = OwnStream(
            address,
            head,
            limits,
            self._numbers,
            self._found_foreign,
            writer=writer,
            pulse_s=pulse_s,
            utc_ns=utc_ns,
        )
        self._chain = Chain(
            address,
            own,
            self._numbers,
            self.state,
            self._progress,
            writer=writer,
            key=rng.randbytes(16),
            utc_ns=utc_ns,
        )
        self._client: NatsClient | None = None
        self._has_trades = "trades" in head.channels
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
        self._chain.put(
            one for one in numbered if self._has_trades or not isinstance(one[0], FeedGap)
        )

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
        """Publish until cancelled. `tell` gets the state when there is news in it.

        Raises:
            Fenced: another publisher has taken over.
            VenueRefused: the stream is another market's by now.
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
        await self._chain.drain()

    async def close(self) -> None:
        """Say goodbye, unless bots have another publisher, and let go of the connection."""
        client, self._client = self._client, None
        if client is None:
            return
        if self._is_open and client.is_open and self._chain.is_ours:
            self._is_open = False
            with suppress(BusLost):
                await self._pulse.goodbye(client, self._chain.sure)
        await client.close()

    # ------------------------------------------------------------ one connection

    async def _session(self) -> str:
        self._phase(FeedPhase.CONNECTING, "")
        try:
            if self._client is None:
                client = self._client = NatsClient(self._address, f"publisher {self._writer}")
                await client.connect()
                if self._has_learnt:
                    await self._chain.look(client)
                else:  # an incarnation before this one had passed the gate
                    await self._learn(client, is_first=False)
            client = self._client
            await self._chain.begin(client)
            self._is_open = True
            self._phase(FeedPhase.LIVE, "")
            beat = self._pulse.beat(client, lambda: self._chain.sure, self._chain.check_answers)
            jobs = (self._chain.pump(client), beat, client.closed.wait())
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

    async def _learn(self, client: NatsClient, *, is_first: bool) -> None:
        await self._chain.learn(client, is_first=is_first)
        self._has_learnt = True

    def _progress(self) -> None:
        self.state.attempt = 0
        self._tell(self.state)

    def _found_foreign(self) -> None:
        self.state.foreign += 1
