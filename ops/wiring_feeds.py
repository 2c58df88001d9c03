"""The branch that shows the market: a recorded or invented one, or a live one."""

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from actors.children import ChildSpec, SupervisorSpec
from actors.market_feed import FeedKept, FeedMemory, MarketFeedActor
from decisions.market_feed import FlowControl
from decisions.supervisor import AutoShutdown, Intensity, Restart
from exchanges.source import MarketSource
from messages.ids import ActorPath
from ops.config import Config
from ops.sources import open_source
from ops.wiring_strategies import Asked, warmup_of
from ops.wiring_tree import Addresses, backoff, progress_ms, supervisor_spec

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection

FATAL_TO_FEEDS = frozenset({"DataChanged"})
"""A next incarnation would open what is there now, and go on in another market."""


def path_of_feed(config: Config) -> ActorPath:
    """Give where the feed stands in the tree."""
    return ActorPath(f"feeds/feed:{config.feed.type}")


def feeds_branch(
    config: Config,
    addresses: Addresses,
    max_events: int,
    opened: "FeedConnection | None",
    asked: Collection[Asked],
) -> ChildSpec:
    """Give the branch; its followers are the strategies and, as the last, the executor."""
    feed_path, metrics = addresses.feed.path, addresses.metrics
    followers = [*addresses.strategies.values(), addresses.executor]
    # With stops or managed orders the executor is shown each event first; nobody runs ahead of it.
    leaders = followers[-1:] if any(one.steps for one in asked) else []
    if config.feed.is_connected:
        from ops.live_feed import live_feed

        feed = live_feed(
            config,
            feed_path,
            followers,
            metrics,
            history=warmup_of(asked),
            max_events=max_events,
            opened=opened,
            leaders=[one.path for one in leaders],
        )
    else:
        window = 1 if leaders else config.feed.window
        flow = FlowControl([f.path for f in followers], window, [one.path for one in leaders])
        feed = ChildSpec(
            name=feed_path.rpartition("/")[2],
            actor_class=MarketFeedActor,
            arguments={
                "open_source": partial(_source, config),
                "followers": followers,
                "kept": FeedKept(FeedMemory(flow=flow)),
                "metrics": metrics,
                "speed": config.feed.speed,
                "batch": config.feed.batch,
                "max_events": max_events,
            },
        )
    feed = msgspec.structs.replace(
        feed,
        restart=Restart.TRANSIENT,
        significant=True,
        progress_ms=progress_ms(config),
        hang_after_ms=config.supervision.hang_after_s * 1000,
    )
    spec = SupervisorSpec(
        children=(feed,),
        intensity=Intensity(max_restarts=5, window_s=60),
        fatal_errors=FATAL_TO_FEEDS,
        backoff=backoff(config),
        auto_shutdown=AutoShutdown.ALL_SIGNIFICANT,
    )
    child = supervisor_spec("feeds", spec, metrics)
    return msgspec.structs.replace(child, restart=Restart.TRANSIENT, significant=True)


def _source(config: Config) -> MarketSource:
    return open_source(config)
