"""Whose a stream is: made where there is none, refused where it is another's, and learnt.

Two publishers that come at the same moment both pass here; the stream itself decides between
them, see `exchanges.nats_chain`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from exchanges.bus_address import BusAddress, StreamLimits
from exchanges.bus_frames import (
    LARGEST,
    VERSION,
    NoFrame,
    StreamHead,
    frame_of,
    head_of,
    pulse_of,
    pulse_subject,
    stored_subjects,
    subjects_of,
)
from exchanges.bus_numbers import Numbers, reaches_ns
from exchanges.nats_answers import StreamFacts
from exchanges.nats_client import NatsClient
from exchanges.nats_reading import BusLost
from messages.bus import BusFrame, BusPulse
from messages.errors import VenueRefused
from messages.ids import NS_PER_S
from messages.market import FeedPhase

_LISTENS = 2.2
"""For so many pulses a publisher that begins listens for another one."""
_AT_ONCE = 512
_LEAP_NS = 86_400 * NS_PER_S
"""As for the feed itself: a market that is run faster than the clock is ahead of it, too."""


class OwnStream:
    """One publisher's, on its loop. `numbers` learns what the stream has.

    `on_foreign` is called for each payload that no publisher of ours has written.
    """

    def __init__(
        self,
        address: BusAddress,
        head: StreamHead,
        limits: StreamLimits,
        numbers: Numbers,
        on_foreign: Callable[[], object],
        *,
        writer: str,
        pulse_s: float,
        utc_ns: Callable[[], int],
    ) -> None:
        self._address, self._head, self._limits = address, head, limits
        self._numbers, self._on_foreign = numbers, on_foreign
        self._writer, self._pulse_s, self._utc_ns = writer, pulse_s, utc_ns

    async def take(self, client: NatsClient, *, is_first: bool = True) -> StreamFacts:
        """Make the stream where there is none, and see that it is ours.

        Raises:
            VenueRefused: it is another's, or another publisher is alive.
            BusLost: there was no answer.
        """
        name, subjects = self._address.stream, stored_subjects(self._address.stream)
        facts = await client.facts()
        if facts is not None and (problem := self._problem_of(facts)):
            raise VenueRefused(f"the stream {name} at {self._address.place} {problem}")
        if facts is not None and is_first:
            await self._listen(client)  # before anything of the stream is changed
        if facts is None or is_first:
            metadata = self._head.metadata()
            await client.put_stream(subjects, metadata, self._limits, LARGEST, is_new=facts is None)
        facts = await client.facts()
        if facts is None:
            raise BusLost(f"the stream {name} is gone")
        return facts

    def _problem_of(self, facts: StreamFacts) -> str:
        head, ours = head_of(facts.metadata), self._head
        if head is None:
            return "was not made by watchkeeper publish: take another --stream"
        if head.version != str(VERSION):
            return f"has version {head.version}, this is {VERSION}: take another --stream"
        for name in ("source", "clock", "timeframe"):
            theirs, mine = getattr(head, name), getattr(ours, name)
            if theirs != mine:
                return f"has the {name} {theirs}, and this feed {mine}: take another --stream"
        if ours.clock == "market" and head.symbols != ours.symbols:
            # An event's place says whether the stream has it, and is another one among others.
            known, wanted = ", ".join(head.symbols), ", ".join(ours.symbols)
            what = f"has a recorded or generated market of {known}, and this feed is of {wanted}"
            return f"{what}: take another --stream, or delete this one"
        return ""

    async def _listen(self, client: NatsClient) -> None:
        """Listen whether another publisher is alive.

        Raises:
            VenueRefused: one is.
        """
        heard: list[BusPulse] = []

        def hear(_: str, payload: bytes) -> None:
            try:
                pulse = pulse_of(payload)
            except NoFrame:
                self._on_foreign()
                return
            if pulse.phase is not FeedPhase.STOPPED and pulse.writer != self._writer:
                heard.append(pulse)

        await client.listen(pulse_subject(self._address.stream), hear)
        for _ in range(10):
            await asyncio.sleep(_LISTENS * self._pulse_s / 10)
            if heard:
                text = f"{heard[0].who} publishes to the stream {self._address.stream}"
                raise VenueRefused(f"{text} already: stop it first, or take another --stream")

    async def learn(self, client: NatsClient) -> None:
        """Learn the newest event of each subject.

        Raises:
            BusLost: there was no answer.
        """
        for subject in subjects_of(self._address.stream, ("candles", "trades"), self._head.symbols):
            newest = await client.last_of(subject)
            if newest is None:
                continue
            try:
                self._numbers.learn(subject, self._frame(subject, newest.payload))
            except NoFrame:
                self._on_foreign()
                await self._learn_before(client, subject, newest.place)

    async def _learn_before(self, client: NatsClient, subject: str, last: int) -> None:
        """The newest of a subject is garbage: look through all of it for the newest frame."""

        async def room() -> int:
            return _AT_ONCE

        reading = await client.read([subject], room)
        async for stored in reading.up_to(last):
            with suppress(NoFrame):
                self._numbers.learn(subject, self._frame(subject, stored.payload))

    def _frame(self, subject: str, payload: bytes) -> BusFrame:
        """Read what the stream has.

        Raises:
            NoFrame: it is none, or one of another day to come, which would hold up all that is due.
        """
        frame = frame_of(self._address.stream, subject, payload)
        until_ns = self._utc_ns() + _LEAP_NS
        if self._head.clock == "real" and reaches_ns(frame.what) > until_ns:
            raise NoFrame("it is from the future")
        return frame
