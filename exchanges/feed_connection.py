"""A live feed and the thread that its connections live on, for a caller that must not wait."""

import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol

from exchanges.feed_settings import FeedFacts, FeedItem
from exchanges.source import SourceStats
from exchanges.venue_loop import VenueLoop
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import FeedPhase, FeedState

Tell = Callable[[FeedItem], object]


class LiveFeed(Protocol):
    """A live market: an exchange's own, or one that another process publishes."""

    stats: SourceStats

    async def open(self) -> FeedFacts:
        """Pass the gate; raises `VenueRefused`."""
        ...

    async def run(self, tell: Tell, since_ns: Mapping[Symbol, int] | None = None) -> None:
        """Tell until cancelled."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class FeedConnection:
    """Used for one `run`. Methods may be called from any thread.

    `on_error` gets, on the feed's own thread, what nobody waits for.
    """

    def __init__(
        self,
        make: Callable[[], LiveFeed],
        path: ActorPath,
        on_error: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._path = path
        self._feed = make()
        self._runs = False
        self._loop = VenueLoop(f"feed of {path}", on_error)
        self._loop.start()

    @property
    def stats(self) -> SourceStats:
        """What was found so far."""
        return self._feed.stats

    def open(self, limit_s: float) -> FeedFacts:
        """Pass the gate, and wait for it.

        Raises:
            VenueRefused: one sentence that says what to do.
            TimeoutError: it took too long.
        """
        return self._loop.submit(self._feed.open()).result(limit_s)

    @property
    def place(self) -> int:
        """Where the source has what is told now; 0 where it can't go on from a place."""
        return 0

    def took(self, count: int) -> None:
        """Say how many of the told items are done with: a market that can wait will."""

    def run(
        self,
        tell: Tell,
        since_ns: Mapping[Symbol, int],
        place: int = 0,
        traded_ns: Mapping[Symbol, int] | None = None,
    ) -> None:
        """Begin to tell, from the feed's own thread; if it ends by a fault, that is told too.

        `since_ns`, `place` and `traded_ns` say what an earlier connection had told.
        """

        def ended(run: "Future[None]") -> None:
            error = None if run.cancelled() else run.exception()
            if error is not None:
                tell(self._stopped(f"{type(error).__name__}: {error}"))

        self._runs = True
        self._loop.submit(self._telling(tell, since_ns, place, traded_ns)).add_done_callback(ended)

    def close(self, limit_s: float) -> bool:
        """End whatever it does; True when its thread has ended within the limit."""
        if not self._runs and limit_s:
            with suppress(TimeoutError):
                self._loop.submit(self._feed.close()).result(limit_s)
        return self._loop.close(limit_s)

    def _telling(
        self,
        tell: Tell,
        since_ns: Mapping[Symbol, int],
        place: int,  # noqa: ARG002 - of a feed that knows places
        traded_ns: Mapping[Symbol, int] | None,  # noqa: ARG002 - and can tell what is missing
    ) -> Coroutine[Any, Any, None]:
        return self._feed.run(tell, since_ns)

    def _stopped(self, reason: str) -> FeedState:
        return FeedState(
            feed=self._path,
            phase=FeedPhase.STOPPED,
            reason=reason,
            attempt=0,
            retry_in_ms=0,
            skew_ms=None,
            ts_ns=TimestampNs(time.time_ns()),
        )
