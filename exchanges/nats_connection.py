"""A feed over NATS and the thread that it lives on; it waits for who follows, and goes on."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from exchanges.feed_connection import FeedConnection, Tell
from exchanges.nats_feed import NatsFeed
from messages.ids import ActorPath, Symbol


class NatsConnection(FeedConnection):
    """See `FeedConnection`; beside it, the place in the stream, and room."""

    def __init__(
        self,
        make: Callable[[], NatsFeed],
        path: ActorPath,
        on_error: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._market = make()
        super().__init__(lambda: self._market, path, on_error)

    @property
    def place(self) -> int:
        """Where the stream has what is told now; read it in `tell`."""
        return self._market.place

    def took(self, count: int) -> None:
        """Say how many of the told items are done with."""
        if self._market.took(count):
            self._loop.call(self._market.wake)

    def _telling(
        self,
        tell: Tell,
        since_ns: Mapping[Symbol, int],
        place: int,
        traded_ns: Mapping[Symbol, int] | None,
    ) -> Coroutine[Any, Any, None]:
        return self._market.run(tell, since_ns, place, traded_ns)
