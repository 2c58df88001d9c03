"""What one publisher stores in a stream: each event once, in order, and alone.

Every publish says which message it follows in the stream. So many can be under way at once, and
still there is never a hole, never a double, and never a second publisher: whoever finds something
else there than it expects looks what it is, and either goes on behind it or gives up. An event is
done with when the server has acknowledged it; until then it is ours to send again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable

from exchanges.bus_address import BusAddress
from exchanges.bus_frames import NoFrame, encoded, frame_of, message_id, stored_subjects
from exchanges.bus_numbers import Numbers, Publishable, done_with
from exchanges.bus_under_way import Entry, UnderWay
from exchanges.nats_answers import Ack
from exchanges.nats_client import ANSWER_S, NatsClient
from exchanges.nats_ownership import OwnStream
from exchanges.nats_reading import BusLost
from exchanges.writer_state import WriterState
from messages.errors import VenueRefused

_MOST_UNDER_WAY = 512
_NO_ANSWER = f"the server did not acknowledge within {ANSWER_S:.0f} s"


class Fenced(Exception):
    """Another publisher writes to the stream; this one writes nothing more."""


class Chain:
    """One publisher's, over all its connections. Everything runs on its loop.

    `key` is only the publisher's, see `message_id`; `state` is kept up to date, and
    `on_progress` called when more of the feed is in the stream.
    """

    def __init__(
        self,
        address: BusAddress,
        own: OwnStream,
        numbers: Numbers,
        state: WriterState,
        on_progress: Callable[[], object],
        *,
        writer: str,
        key: bytes,
        utc_ns: Callable[[], int],
    ) -> None:
        self.sure = 0
        """Everything in the stream up to this place was looked at."""
        self.is_ours = True
        """Whether nobody else was found to have the stream."""
        self._address, self._own, self._numbers = address, own, numbers
        self._state, self._on_progress = state, on_progress
        self._writer, self._key, self._utc_ns = writer, key, utc_ns
        self._queue: deque[tuple[Publishable, int]] = deque()
        self._under_way = UnderWay()
        self._after = 0
        """The place in the stream that the next publish follows."""
        self._follows = ""
        """And the name of what is there; empty right after we have looked."""
        self._in_trouble = self._lost = ""
        """What was answered that was not expected, and what makes this connection of no use."""
        self._news = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def put(self, events: Iterable[tuple[Publishable, int]]) -> None:
        """Take events of the feed, each with its place in it."""
        self._queue.extend(events)
        self._state.waiting = len(self._queue) + len(self._under_way)
        self._is_idle.clear()
        self._news.set()

    async def drain(self) -> None:
        """Wait until everything that was put is in the stream."""
        await self._is_idle.wait()

    # ------------------------------------------------------------ one connection

    async def learn(self, client: NatsClient, *, is_first: bool) -> None:
        """Make the stream ours, and learn all that it has.

        Raises:
            VenueRefused: it is another's, or another publisher is alive.
            BusLost: there was no answer.
        """
        facts = await self._own.take(client, is_first=is_first)
        await self._own.learn(client)
        self._go_on_behind(facts.last)
        self._state.next_index = self._numbers.next_index

    async def look(self, client: NatsClient) -> None:
        """Learn what the stream has behind the last place that we know.

        It may have less: it was made anew, or has lost what it had acknowledged. Bots tell that.

        Raises:
            Fenced: another publisher's event is there.
            VenueRefused: it is another market's by now.
            BusLost: there was no answer.
        """
        try:
            facts = await self._own.take(client, is_first=False)
        except VenueRefused:
            self.is_ours = False
            raise
        if facts.last > self.sure:
            await self._look_at(client, max(self.sure + 1, facts.first), facts.last)
        self._go_on_behind(facts.last)

    async def begin(self, client: NatsClient) -> None:
        """Listen for answers over a connection; those of another one count no more.

        Raises:
            BusLost: the connection is over.
        """
        self._in_trouble = self._lost = ""
        self._under_way.forget_answers()
        await client.open_acks(self._acknowledged)

    async def pump(self, client: NatsClient) -> None:
        """Store what is put, until cancelled.

        Raises:
            BusLost: the stream is not to be had over this connection.
            Fenced, VenueRefused: another publisher has it, see `look`.
        """
        await self._send_again(client)
        while True:
            if self._in_trouble or self._lost:
                await self._out_of_trouble(client)
            while self._may_send():
                await self._send(client, self._next())
            self._settle()
            self._news.clear()
            if self._in_trouble or self._lost or self._may_send():
                continue
            await self._news.wait()

    def check_answers(self) -> None:
        """Pass while every publish is answered in time.

        Raises:
            BusLost: one is not.
        """
        oldest_s = self._under_way.oldest_s()
        if oldest_s and time.monotonic() - oldest_s > ANSWER_S:
            raise BusLost(_NO_ANSWER)

    # ------------------------------------------------------------ what is sent

    def _may_send(self) -> bool:
        if self._in_trouble or self._lost:
            return False
        return bool(self._queue) and len(self._under_way) < _MOST_UNDER_WAY

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
        for entry in self._under_way:
            await self._send(client, entry)

    # ------------------------------------------------------------ what the server says

    def _acknowledged(self, token: int, ack: Ack) -> None:
        if not self._under_way.acknowledged(token, ack):
            return
        if ack.problem and not ack.is_out_of_step:
            self._lost = ack.problem
        elif ack.problem or ack.is_duplicate:
            self._in_trouble = ack.problem or "a message of this name was there"
        else:
            self.sure = max(self.sure, ack.place)
        self._news.set()

    def _settle(self) -> None:
        """Let go of what is stored, and say so."""
        state, before = self._state, self._state.next_index
        for entry in self._under_way.settled():
            state.next_index = max(state.next_index, entry.index + 1)
            state.published += entry.frame is not None
        state.repeated = self._numbers.repeated
        state.waiting = len(self._queue) + len(self._under_way)
        if not state.waiting:
            self._is_idle.set()
        if state.next_index != before:
            self._on_progress()

    async def _out_of_trouble(self, client: NatsClient) -> None:
        """Wait for the other answers, look what is there that we did not expect, and go on."""
        if self._lost:
            raise BusLost(self._lost)
        while self._under_way.is_unanswered:
            self._news.clear()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._news.wait()
            except TimeoutError:
                raise BusLost(_NO_ANSWER) from None
        await self.look(client)
        self._in_trouble = ""
        await self._send_again(client)

    # ------------------------------------------------------------ what the stream has

    def _go_on_behind(self, last: int) -> None:
        self._after, self.sure, self._follows = last, last, ""

    async def _look_at(self, client: NatsClient, first: int, last: int) -> None:
        async def room() -> int:
            return _MOST_UNDER_WAY

        subjects = stored_subjects(self._address.stream)
        reading = await client.read(subjects, room, place=first)
        async for stored in reading.up_to(last):
            self._found(stored.subject, stored.payload)

    def _found(self, subject: str, payload: bytes) -> None:
        try:
            frame = frame_of(self._address.stream, subject, payload)
        except NoFrame:
            self._state.foreign += 1
            return
        if frame.writer != self._writer:
            self.is_ours = False
            text = f"another publisher writes to the stream {self._address.stream}"
            raise Fenced(f"{text} at {self._address.place}: this one ends")
        self._under_way.found(subject, frame.sequence)
