"""A live feed and the thread that its connections live on, for a caller that must not wait."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress

from exchanges.ccxt_feed import CcxtFeed
from exchanges.feed_line import Tell
from exchanges.feed_settings import FeedFacts
from exchanges.source import SourceStats
from exchanges.venue_loop import VenueLoop
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import FeedPhase, FeedState


class FeedConnection:
    """Used for one `run`. Methods may be called from any thread.

    `on_error` gets, on the feed's own thread, what nobody waits for.
    """

    def __init__(
        self,
        make: Callable[[], CcxtFeed],
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

    def run(self, tell: Tell, since_ns: Mapping[Symbol, int]) -> None:
        """Begin to tell, from the feed's own thread; if it ends by a fault, that is told too."""

        def ended(run: "Future[None]") -> None:
            error = None if run.cancelled() else run.exception()
            if error is not None:
                tell(self._stopped(f"{type(error).__name__}: {error}"))

        self._runs = True
        self._loop.submit(self._feed.run(tell, since_ns)).add_done_callback(ended)

    def close(self, limit_s: float) -> bool:
        """End whatever it does; True when its thread has ended within the limit."""
        if not self._runs and limit_s:
            with suppress(TimeoutError):
                self._loop.submit(self._feed.close()).result(limit_s)
        return self._loop.close(limit_s)

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
