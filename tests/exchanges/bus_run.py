"""A publisher and a reader of a test's own, on loops of their own, and all that they told."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from decimal import Decimal
from random import Random
from typing import Any

from exchanges.bus_address import BusAddress, StreamLimits
from exchanges.bus_frames import StreamHead
from exchanges.bus_numbers import Publishable
from exchanges.feed_settings import Channel, FeedItem, FeedRequest
from exchanges.nats_client import NatsClient
from exchanges.nats_feed import BusSettings, NatsFeed
from exchanges.nats_writer import NatsWriter
from exchanges.venue_loop import VenueLoop
from exchanges.writer_state import WriterState
from messages.ids import NS_PER_S, ActorPath, Symbol, TimestampNs
from messages.market import Candle, FeedPhase
from tests.exchanges.told import Told

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
MINUTE_NS = 60 * NS_PER_S
BEGIN_NS = 1_704_067_200 * NS_PER_S
LIMIT_S = 60.0


def candle(minute: int, symbol: Symbol = BTC, begin_ns: int = BEGIN_NS, **changes: Any) -> Candle:
    """Give the candle of a minute; its price tells which one it is."""
    price = Decimal(100 + minute % 50)
    fields: dict[str, Any] = {
        "symbol": symbol,
        "open": price,
        "high": price + 1,
        "low": price - 1,
        "close": price,
        "volume": Decimal(minute + 1),
        "ts_open_ns": TimestampNs(begin_ns + minute * MINUTE_NS),
        "ts_event_ns": TimestampNs(begin_ns + (minute + 1) * MINUTE_NS),
    }
    return Candle(**fields | changes)


def head(**changes: Any) -> StreamHead:
    fields: dict[str, Any] = {
        "source": "demo:7",
        "clock": "market",
        "timeframe": "1m",
        "symbols": (BTC, ETH),
        "channels": ("candles", "trades"),
    }
    return StreamHead(**fields | changes)


def at(url: str | BusAddress) -> BusAddress:
    """Give the address of a server that lets everybody in, or the one that is given."""
    return url if isinstance(url, BusAddress) else BusAddress(url=url, stream="market")


def asked(address: BusAddress, ask: Callable[[NatsClient], Any]) -> Any:
    """Connect as a test of its own, ask, and let go; raises whatever keeps it out."""
    loop = VenueLoop("a-test")
    loop.start()

    async def connected() -> Any:
        client = NatsClient(address, "a test")
        try:
            await client.connect()
            return await ask(client)
        finally:
            await client.close()

    try:
        return loop.submit(connected()).result(LIMIT_S)
    finally:
        assert loop.close(LIMIT_S)


class Publishing:
    """One publisher."""

    def __init__(
        self, url: str | BusAddress, about: StreamHead | None = None, writer: str = "one"
    ) -> None:
        self.problems: list[str] = []
        self.loop = VenueLoop("writer-of-a-test", self.problems.append)
        self.loop.start()
        self.writer = NatsWriter(
            at(url),
            about or head(),
            StreamLimits(),
            writer=writer,
            rng=Random(5),
            backoff=(20, 200),
            pulse_s=0.05,
        )
        self.run: Future[None] | None = None
        self._news = threading.Condition()
        self.phases: list[FeedPhase] = []

    def open(self) -> "Publishing":
        self.loop.submit(self.writer.open()).result(LIMIT_S)
        return self

    def start(self, phase: FeedPhase = FeedPhase.LIVE, skew_ms: int | None = None) -> "Publishing":
        self.loop.call(lambda: self.writer.feed_is(phase, "", skew_ms))
        self.run = self.loop.submit(self.writer.run(self._told))
        return self

    def _told(self, state: WriterState) -> None:
        with self._news:
            self.phases.append(state.phase)
            self._news.notify_all()

    def put(self, events: Iterable[Publishable], first_index: int = 0) -> None:
        kept = list(events)
        self.loop.call(lambda: self.writer.put(kept, first_index))

    def until_stored(self, next_index: int) -> None:
        with self._news:
            assert self._news.wait_for(
                lambda: self.writer.state.next_index >= next_index, LIMIT_S
            ), self.writer.state

    def until_phase(self, phase: FeedPhase) -> None:
        with self._news:
            assert self._news.wait_for(lambda: phase in self.phases, LIMIT_S), self.phases

    def die(self) -> None:
        """End without a goodbye, with whatever is not stored yet."""
        self.loop.call(lambda: setattr(self.writer, "_is_open", False))
        assert self.loop.close(LIMIT_S)

    def stop(self) -> None:
        if self.run is None:
            self.loop.submit(self.writer.close()).result(LIMIT_S)
        assert self.loop.close(LIMIT_S)
        assert not [p for p in self.problems if "never retrieved" not in p], self.problems


class Following(Told):
    """One feed over the bus."""

    def __init__(
        self,
        url: str | BusAddress,
        patience: BusSettings | None = None,
        utc_ns: Callable[[], int] = time.time_ns,
        **asked: Any,
    ) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.takes = True
        self.places: list[int] = []
        """Of each that was told."""
        self._news = threading.Condition()
        self.loop = VenueLoop("feed-of-a-test", self.problems.append)
        self.loop.start()
        fields: dict[str, Any] = {
            "path": ActorPath("feeds/feed:nats"),
            "symbols": (BTC,),
            "timeframe": "1m",
            "timeframe_ns": MINUTE_NS,
            "channels": frozenset({Channel.CANDLES}),
        }
        settings = patience or BusSettings(clock="market", quiet_ms=5_000, backoff_ms=20)
        request = FeedRequest(**fields | asked)
        self.feed = NatsFeed(at(url), request, settings, rng=Random(3), utc_ns=utc_ns)
        self._run: Future[None] | None = None

    def open(self) -> "Following":
        self.loop.submit(self.feed.open()).result(LIMIT_S)
        return self

    def start(
        self,
        since_ns: dict[Symbol, int] | None = None,
        place: int = 0,
        traded_ns: Mapping[Symbol, int] | None = None,
    ) -> "Following":
        self._run = self.loop.submit(self.feed.run(self._tell, since_ns, place, traded_ns))
        return self

    def _tell(self, item: FeedItem) -> None:
        with self._news:
            self.told.append(item)
            self.places.append(self.feed.place)
            if self.takes:
                self.feed.took(len(self.told))
            self._news.notify_all()

    def take_all(self) -> None:
        """Say from another thread that all is done with, as an actor does."""
        self.takes = True
        if self.feed.took(len(self.told)):
            self.loop.call(self.feed.wake)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for what is told, or for what is only counted."""
        deadline = time.monotonic() + LIMIT_S
        with self._news:
            while not is_so():
                assert time.monotonic() < deadline, (self.states()[-5:], self.feed.stats)
                self._news.wait(0.02)

    def stop(self) -> None:
        if self._run is None:
            self.loop.submit(self.feed.close()).result(LIMIT_S)
        assert self.loop.close(LIMIT_S)
        assert not [p for p in self.problems if "never retrieved" not in p], self.problems
