"""A live feed's actor on threads, a connection that tells what a test says, and who listens."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from actors.actor import Actor
from actors.children import ChildSpec, SupervisorSpec
from actors.live_feed import LiveFeedActor
from actors.live_memory import LiveKept, new_memory
from actors.supervisor import Supervisor
from actors.thread_runtime import ThreadRuntime
from decisions.supervisor import IMMEDIATE, Intensity
from exchanges.source import SourceStats
from messages.ids import NS_PER_S, ActorPath, Symbol, TimestampNs
from messages.market import Candle, FeedPhase, FeedState, MarketAck, MarketBatch

BTC, ETH, ONE = Symbol("BTC/USDT"), Symbol("ETH/USDT"), Decimal(1)
MINUTE_NS = 60 * NS_PER_S
LIMIT_S = 60.0
FEED = ActorPath("feed")


class Line:
    """A connection that tells what the test says, from a thread that is not the actor's."""

    def __init__(self) -> None:
        self.stats = SourceStats()
        self.since_ns: dict[Symbol, int] = {}
        self.traded_ns: dict[Symbol, int] = {}
        self.closed = False
        self.place = self.begins = self.done = 0
        self.runs = threading.Event()
        self.tell: Callable[[Any], object] = lambda _: None

    def run(
        self,
        tell: Callable[[Any], object],
        since_ns: dict[Symbol, int],
        place: int = 0,
        traded_ns: dict[Symbol, int] | None = None,
    ) -> None:
        self.tell, self.since_ns, self.begins = tell, since_ns, place
        self.traded_ns = traded_ns or {}
        self.runs.set()

    def took(self, count: int) -> None:
        self.done = count

    def close(self, limit_s: float) -> bool:
        self.closed = True
        return limit_s >= 0


class Notebook(Actor):
    """A follower, or Metrics: writes down what it gets and acknowledges batches."""

    def __init__(self, *, notes: "Notes", feed: Any = None, acks: bool = True) -> None:
        super().__init__()
        self.notes, self.feed, self.acks = notes, feed, acks

    def receive(self, message: Any) -> None:
        self.notes.add(message)
        if isinstance(message, MarketBatch) and self.notes.acks:
            stop = message.first_index + len(message.events)
            self.ctx.tell(self.feed, MarketAck(follower=self.ctx.path, next_index=stop))


class Notes:
    def __init__(self) -> None:
        self.acks = True
        self.all: list[Any] = []
        self._news = threading.Condition()

    def add(self, message: Any) -> None:
        with self._news:
            self.all.append(message)
            self._news.notify_all()

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.all if isinstance(one, kind)]

    def until(self, is_so: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(is_so, LIMIT_S), self.all

    def events(self) -> list[Candle]:
        return [event for batch in self.of(MarketBatch) for event in batch.events]

    def until_events(self, count: int) -> list[Candle]:
        self.until(lambda: len(self.events()) >= count)
        return self.events()


class Desk:
    """One feed with one follower and a stand-in for Metrics, on threads."""

    def __init__(self, capacity: int = 100, **changes: Any) -> None:
        self.runtime = ThreadRuntime()
        self.lines: list[Line] = []
        self._made = threading.Condition()
        self.seen, self.told = Notes(), Notes()
        self.feed = self.runtime.address(FEED)
        follower = self.runtime.address(ActorPath("follower"))
        metrics = self.runtime.address(ActorPath("metrics"))
        arguments: dict[str, Any] = {
            "connect": self._connect,
            "followers": [follower],
            "kept": LiveKept(new_memory([follower.path], capacity)),
            "metrics": metrics,
            "max_age_ns": 5 * NS_PER_S,
        } | changes
        tree = SupervisorSpec(
            children=(
                ChildSpec(name="metrics", actor_class=Notebook, arguments={"notes": self.told}),
                ChildSpec(
                    name="follower",
                    actor_class=Notebook,
                    arguments={"notes": self.seen, "feed": self.feed},
                ),
                ChildSpec(
                    name="feed",
                    actor_class=LiveFeedActor,
                    arguments=arguments,
                    hang_after_ms=300,
                ),
            ),
            intensity=Intensity(max_restarts=100, window_s=60),
            backoff=IMMEDIATE,
        )
        self.root = self.runtime.populate("root", Supervisor, {"spec": tree})
        assert not self.runtime.start(self.root, 20 * NS_PER_S).problem

    def _connect(self) -> Any:
        with self._made:
            self.lines.append(Line())
            self._made.notify_all()
            return self.lines[-1]

    def line(self, number: int = 1) -> Line:
        """Give the connection of the n-th incarnation, once it runs."""
        with self._made:
            assert self._made.wait_for(lambda: len(self.lines) >= number, LIMIT_S)
        line = self.lines[number - 1]
        assert line.runs.wait(LIMIT_S)
        return line

    def now_candle(self, number: int, age_s: float = 0) -> Candle:
        """Make a candle that has just closed; a later number is a nanosecond later."""
        at_ns = self.runtime.clock.utc_ns() - int(age_s * NS_PER_S) + number
        one = Decimal(number + 1)
        return Candle(
            symbol=BTC,
            open=one,
            high=one,
            low=one,
            close=one,
            volume=one,
            ts_open_ns=TimestampNs(at_ns - MINUTE_NS),
            ts_event_ns=TimestampNs(at_ns),
        )

    def state(self, phase: FeedPhase, reason: str = "", **changes: Any) -> FeedState:
        values: dict[str, Any] = {"attempt": 1, "retry_in_ms": 0, "skew_ms": 0} | changes
        return FeedState(feed=FEED, phase=phase, reason=reason, ts_ns=TimestampNs(0), **values)

    def stop(self) -> None:
        self.runtime.stop(self.root, 20 * NS_PER_S)
