"""A writer to the bus and the thread that it lives on, for an actor that must not wait."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from exchanges.bus_numbers import Publishable, Reached
from exchanges.nats_chain import Fenced
from exchanges.nats_writer import NatsWriter
from exchanges.venue_loop import VenueLoop
from exchanges.writer_state import WriterState
from messages.errors import VenueRefused
from messages.ids import ActorPath
from messages.market import FeedPhase, Tick


class WriterConnection:
    """Used for one `run`. Methods may be called from any thread."""

    def __init__(
        self,
        make: Callable[[], NatsWriter],
        path: ActorPath,
        on_error: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._writer = make()
        self._runs = False
        self._loop = VenueLoop(f"bus of {path}", on_error)
        self._loop.start()

    @property
    def state(self) -> WriterState:
        """How publishing goes."""
        return self._writer.state

    @property
    def next_index(self) -> int:
        """Where a feed that is shown from its beginning may go on; after `open`."""
        return self._writer.next_index

    def open(self, limit_s: float) -> Reached:
        """Pass the gate, and wait for it; give how far the stream has come.

        Raises:
            VenueRefused: one sentence that says what to do.
            TimeoutError: it took too long.
        """
        return self._loop.submit(self._writer.open()).result(limit_s)

    def run(self, tell: Callable[[WriterState], object], ended: Callable[[str], object]) -> None:
        """Begin to publish; `ended` gets the reason if it does not go on, on the loop's thread."""

        def over(run: "Future[None]") -> None:
            error = None if run.cancelled() else run.exception()
            if error is not None:
                ended(str(error) if isinstance(error, Fenced | VenueRefused) else repr(error))

        self._runs = True
        self._loop.submit(self._writer.run(tell)).add_done_callback(over)

    def put(self, events: tuple[Publishable, ...], first_index: int) -> None:
        """Publish consecutive events of the feed."""
        self._loop.call(partial(self._writer.put, events, first_index))

    def tick(self, tick: Tick) -> None:
        """Publish a tick, which is not kept."""
        self._loop.spawn(self._writer.tick(tick))

    def feed_is(self, phase: FeedPhase, reason: str, skew_ms: int | None) -> None:
        """Say how the feed is."""
        self._loop.call(partial(self._writer.feed_is, phase, reason, skew_ms))

    def drain(self, limit_s: float) -> bool:
        """Wait until all that was put is in the stream; False when it is not within the limit."""
        try:
            self._loop.submit(self._writer.drain()).result(limit_s)
        except (TimeoutError, RuntimeError):
            return False
        return True

    def close(self, limit_s: float) -> bool:
        """End whatever it does; True when its thread has ended within the limit."""
        if not self._runs and limit_s:
            with suppress(TimeoutError):
                self._loop.submit(self._writer.close()).result(limit_s)
        return self._loop.close(limit_s)
