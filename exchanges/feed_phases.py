"""In which phase a live feed's connection is: told to whoever follows, and waited between two."""

import asyncio
import time
from collections.abc import Callable
from random import Random

from exchanges.backoff import backoff_ms
from exchanges.feed_settings import FeedItem
from messages.ids import ActorPath, TimestampNs
from messages.market import FeedPhase, FeedState


class FeedPhases:
    """One feed's, over all its connections. Used on the feed's loop."""

    def __init__(
        self,
        feed: ActorPath,
        backoff: tuple[int, int],
        rng: Random,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.attempt = 0
        """Connections since one was live for a while."""
        self.skew_ms: int | None = None
        """The exchange's clock minus ours, where it is known."""
        self.tell: Callable[[FeedItem], object] = lambda _: None
        self._feed, self._backoff, self._rng, self._utc_ns = feed, backoff, rng, utc_ns

    def say(self, phase: FeedPhase, reason: str = "", retry_in_ms: int = 0) -> None:
        """Tell the phase, and why."""
        self.tell(
            FeedState(
                feed=self._feed,
                phase=phase,
                reason=reason,
                attempt=self.attempt,
                retry_in_ms=retry_in_ms,
                skew_ms=self.skew_ms,
                ts_ns=TimestampNs(self._utc_ns()),
            )
        )

    def stable(self) -> None:
        """Note that the connection is live for a while: the next one is a first attempt again."""
        self.attempt = 0

    async def back_off(self, reason: str) -> None:
        """Say why the connection is over, and wait: the longer, the more attempts there were."""
        wait_ms = backoff_ms(self.attempt, *self._backoff, self._rng)
        self.say(FeedPhase.BACKOFF, reason, wait_ms)
        await asyncio.sleep(wait_ms / 1000)
