"""A publisher says that it lives and how its own market is: twice a second, and at once on news."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from exchanges.bus_frames import encoded, pulse_subject
from exchanges.nats_client import NatsClient
from messages.bus import BusPulse
from messages.ids import TimestampNs
from messages.market import FeedPhase

PULSE_S = 0.5


class Pulse:
    """One publisher's, over all its connections. Used on its loop."""

    def __init__(self, writer: str, utc_ns: Callable[[], int], every_s: float = PULSE_S) -> None:
        self._writer, self._utc_ns, self._every_s = writer, utc_ns, every_s
        self._phase, self._reason = FeedPhase.CONNECTING, ""
        self._skew_ms: int | None = None
        self._is_news = asyncio.Event()

    def feed_is(self, phase: FeedPhase, reason: str, skew_ms: int | None) -> None:
        """Learn how the feed is that is published: readers are told at once, and ever after."""
        self._phase, self._reason, self._skew_ms = phase, reason, skew_ms
        self._is_news.set()

    async def beat(
        self, client: NatsClient, place: Callable[[], int], check: Callable[[], object]
    ) -> None:
        """Say it again and again; `check` is called in between, and may raise.

        `place` gives where the stream has the last event that was stored.

        Raises:
            BusLost: the connection is over.
        """
        while True:
            self._is_news.clear()
            await self._say(client, self._phase, self._reason, place())
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._is_news.wait()
            check()

    async def goodbye(self, client: NatsClient, place: int) -> None:
        """Say that it is over.

        Raises:
            BusLost: the connection is over already.
        """
        await self._say(client, FeedPhase.STOPPED, "", place)

    async def _say(self, client: NatsClient, phase: FeedPhase, reason: str, place: int) -> None:
        pulse = BusPulse(
            writer=self._writer,
            who=f"process {os.getpid()} on {socket.gethostname()}",
            ts_ns=TimestampNs(self._utc_ns()),
            phase=phase,
            reason=reason[:500],
            skew_ms=self._skew_ms,
            last=place,
        )
        await client.publish(pulse_subject(client.address.stream), encoded(pulse))
