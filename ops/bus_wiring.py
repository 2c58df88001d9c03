"""From config to a publisher: its gate, its tree of actors, and what `health` shows of it."""

import os
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from actors.address import Address
from actors.cell import Cell
from actors.children import ChildSpec, SupervisorSpec
from actors.live_feed import LiveFeedActor
from actors.live_memory import LiveKept, new_memory
from actors.log import logger
from actors.market_feed import FeedKept, FeedMemory, MarketFeedActor
from actors.published_trades import PublishedTrades
from actors.publisher import PublisherActor, PublisherKept
from actors.runtime import Runtime
from actors.supervisor import Supervisor
from decisions.market_feed import FlowControl
from decisions.metrics import MetricsFold
from decisions.supervisor import AutoShutdown, Backoff, Intensity, Restart
from exchanges.bus_address import BusAddress, StreamLimits
from exchanges.bus_frames import StreamHead
from exchanges.bus_numbers import Reached
from exchanges.nats_writer import NatsWriter
from exchanges.writer_connection import WriterConnection
from messages.errors import ConfigError, VenueRefused
from messages.ids import ActorPath
from ops.config import Config, FeedType
from ops.run_dir import RunDir
from ops.sources import open_source
from ops.wiring_feeds import FATAL_TO_FEEDS, path_of_feed
from ops.wiring_metrics import metrics_child
from ops.wiring_tree import SUPERVISOR_HANG_MS, start_limit_ms

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection

PUBLISHER = ActorPath("publisher")
GATE_S = 30.0
KEPT_EVENTS = 16_384
"""Live events that are held while the bus is away; more are lost, and told."""
_FATAL = frozenset({"PublisherFenced"})


class Gate(msgspec.Struct, kw_only=True):
    """What has passed its gate before anything starts."""

    writer: WriterConnection
    reached: Reached
    """How far the stream has come."""
    feed: "FeedConnection | None" = None
    """Of a live market."""


class Publishing(msgspec.Struct, kw_only=True):
    """A wired publisher that has not started."""

    runtime: Runtime
    root: Cell
    publisher: Cell
    feed: Address[Any]
    kept: PublisherKept
    fold: MetricsFold


def head_for(config: Config) -> StreamHead:
    """Say what the stream of this feed is, so that bots know it before the first event.

    Raises:
        ConfigError: it can't be published.
    """
    feed = config.feed
    if feed.type is FeedType.NATS:
        text = 'feed.type: a market that comes over NATS is published already; take "ccxt"'
        raise ConfigError([f"{text}, or one that is recorded"])
    channels = feed.channels if feed.is_live else ("candles", "trades")
    return StreamHead(
        source=_source(config),
        clock="real" if feed.is_live else "market",
        timeframe=feed.timeframe,
        symbols=feed.symbols,
        channels=tuple(channels),
    )


def _source(config: Config) -> str:
    feed = config.feed
    if feed.type is FeedType.CCXT:
        return f"ccxt:{config.venue.exchange}"
    if feed.type is FeedType.DEMO:
        return f"demo:{feed.seed}"
    paths = (paths if isinstance(paths, list) else [paths] for paths in feed.paths.values())
    return "replay:" + " ".join(path.name for some in paths for path in some)


def open_writer(
    config: Config, address: BusAddress, limits: StreamLimits
) -> tuple[Callable[[], WriterConnection], WriterConnection, Reached]:
    """Give what makes a connection, one that has passed the gate, and how far the stream is.

    Raises:
        VenueRefused: one sentence that says what to do.
    """
    head, name = head_for(config), os.urandom(8).hex()

    def make() -> WriterConnection:
        rng = Random(os.urandom(16))  # noqa: S311 - it spreads reconnects, and names publishes
        writer = partial(NatsWriter, address, head, limits, writer=name, rng=rng)
        return WriterConnection(writer, PUBLISHER, logger.debug)

    opened = make()
    try:
        return make, opened, opened.open(GATE_S)
    except TimeoutError:
        opened.close(0)
        text = f"the NATS server {address.place} did not answer within {GATE_S:.0f} s"
        raise VenueRefused(f"{text}: look at it, or correct --to") from None
    except BaseException:
        opened.close(5.0)
        raise


def build_publisher(
    config: Config,
    run_dir: RunDir,
    runtime: Runtime,
    gate: Gate,
    make: Callable[[], WriterConnection],
    *,
    history: int,
    max_events: int = 0,
    observe: Callable[[Any], object] | None = None,
) -> Publishing:
    """Wire everything and start nothing: metrics, then the publisher, then its feed."""
    feed_path = path_of_feed(config)
    metrics, publisher = runtime.address("metrics"), runtime.address(PUBLISHER)
    feed = runtime.address(feed_path)
    trades = PublishedTrades(config.feed.symbols, gate.reached.traded_ns)
    kept, fold = PublisherKept(trades), MetricsFold()
    ready = [gate.writer]
    connect = partial(_next_of, ready, make)
    tree = SupervisorSpec(
        children=(
            metrics_child(config, run_dir, fold, lambda: {"bus": kept.summary()}, observe),
            ChildSpec(
                name=PUBLISHER,
                actor_class=PublisherActor,
                arguments={
                    "connect": connect,
                    "kept": kept,
                    "feed": feed,
                    "metrics": metrics,
                    "is_recorded": not config.feed.is_live,
                },
                drain=True,
                shutdown_ms=15_000,
                capacity=8192,
            ),
            _feeds(config, gate, publisher, history, max_events),
        ),
        intensity=Intensity(max_restarts=5, window_s=60),
        backoff=Backoff(
            min_ms=config.supervision.backoff_min_ms, max_ms=config.supervision.backoff_max_ms
        ),
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
        fatal_errors=_FATAL,
    )
    root = runtime.populate("root", Supervisor, {"spec": tree, "on_event": metrics.tell})
    return Publishing(
        runtime=runtime,
        root=root,
        publisher=runtime.cell(PUBLISHER),
        feed=feed,
        kept=kept,
        fold=fold,
    )


def _next_of(
    ready: list[WriterConnection], make: Callable[[], WriterConnection]
) -> WriterConnection:
    return ready.pop() if ready else make()


def _feeds(
    config: Config, gate: Gate, publisher: Address[Any], history: int, max_events: int
) -> ChildSpec:
    path = path_of_feed(config)
    common = {
        "followers": [publisher],
        "metrics": publisher,
        "batch": config.feed.batch,
        "max_events": max_events,
    }
    feed = ChildSpec(
        name=path.rpartition("/")[2],
        actor_class=LiveFeedActor if gate.feed is not None else MarketFeedActor,
        arguments=common
        | (_live(config, gate, publisher, history) if gate.feed else _recorded(config, gate)),
        restart=Restart.TRANSIENT,
        significant=True,
        hang_after_ms=config.supervision.hang_after_s * 1000,
    )
    spec = SupervisorSpec(
        children=(feed,),
        intensity=Intensity(max_restarts=5, window_s=60),
        fatal_errors=FATAL_TO_FEEDS,
        auto_shutdown=AutoShutdown.ALL_SIGNIFICANT,
    )
    return ChildSpec(
        name="feeds",
        actor_class=Supervisor,
        arguments={"spec": spec},
        shutdown_ms=None,
        start_timeout_ms=start_limit_ms(spec),
        hang_after_ms=SUPERVISOR_HANG_MS,
        restart=Restart.TRANSIENT,
        significant=True,
    )


def _live(config: Config, gate: Gate, publisher: Address[Any], history: int) -> dict[str, Any]:
    """An exchange's market goes on behind what the stream has; trades between are a gap."""
    from ops.live_feed import connector

    memory = new_memory([publisher.path], KEPT_EVENTS, window=KEPT_EVENTS // 2)
    memory.closed_ns.update(gate.reached.closed_ns)
    memory.traded_ns.update(gate.reached.traded_ns)
    return {
        "connect": connector(config, path_of_feed(config), history, gate.feed),
        "kept": LiveKept(memory),
        "max_age_ns": None,
    }


def _recorded(config: Config, gate: Gate) -> dict[str, Any]:
    """A market that can be shown again goes on behind the events that the stream has."""
    flow = FlowControl([PUBLISHER], config.feed.window)
    flow.on_ack(PUBLISHER, gate.writer.next_index)
    return {
        "open_source": partial(open_source, config),
        "kept": FeedKept(FeedMemory(flow=flow)),
        "speed": config.feed.speed,
    }
