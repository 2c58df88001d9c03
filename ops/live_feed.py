"""From config to a live feed: the gate before anything starts, and its place in the tree."""

import os
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, TypeVar

from actors.address import Address
from actors.children import ChildSpec
from actors.live_feed import LiveFeedActor, LiveKept, new_memory
from actors.log import logger
from exchanges.ccxt_client import CcxtSettings
from exchanges.ccxt_feed import CcxtFeed
from exchanges.feed_connection import FeedConnection
from exchanges.feed_settings import Channel, FeedRequest, FeedSettings
from exchanges.warm_feed import WarmFeed
from messages.errors import VenueRefused
from messages.ids import NS_PER_MS, ActorPath
from ops.config import Config
from ops.rate_budgets import budget_for

F = TypeVar("F", bound=FeedConnection)
GATE_S = 60.0
KEPT_EVENTS = 16_384
"""Live events that are held for a follower that is slow or away; more are lost and told."""


def open_live(config: Config, feed_path: ActorPath, history: int) -> FeedConnection:
    """Connect to the market of a run and pass its gate; `history` is in candles per symbol.

    Raises:
        VenueRefused: one sentence that says what to do.
    """
    return _opened(config, _connection(config, feed_path, history))


def open_warm(config: Config, feed_path: ActorPath, history: int) -> WarmFeed:
    """Connect as `open_live` does, and follow the market for whoever takes the feed over."""
    kind = partial(WarmFeed, keeps=history)
    connection = _opened(config, _connection(config, feed_path, history, kind))
    connection.warm()
    return connection


def _opened(config: Config, connection: F) -> F:
    try:
        connection.open(GATE_S)
    except TimeoutError:
        connection.close(0)
        raise VenueRefused(
            f"{config.venue.exchange} did not answer within {GATE_S:.0f} s: check the network"
        ) from None
    except BaseException:
        connection.close(5.0)
        raise
    return connection


def live_feed(
    config: Config,
    feed_path: ActorPath,
    followers: list[Address[Any]],
    metrics: Address[Any],
    *,
    history: int,
    max_events: int,
    opened: FeedConnection | None,
) -> ChildSpec:
    """Give the feed's place in the tree; its first incarnation uses the `opened` connection."""
    ready = [opened] if opened is not None else []

    def connect() -> FeedConnection:
        return ready.pop() if ready else _connection(config, feed_path, history)

    return ChildSpec(
        name=feed_path.rpartition("/")[2],
        actor_class=LiveFeedActor,
        arguments={
            "connect": connect,
            "followers": followers,
            "kept": LiveKept(new_memory([one.path for one in followers], KEPT_EVENTS)),
            "metrics": metrics,
            "max_age_ns": config.risk.max_decision_age_ms * NS_PER_MS,
            "batch": config.feed.batch,
            "max_events": max_events,
        },
    )


def _connection(
    config: Config,
    feed_path: ActorPath,
    history: int,
    kind: Callable[..., F] = FeedConnection,  # type: ignore[assignment]
) -> F:
    feed = config.feed
    settings = CcxtSettings(
        exchange=config.venue.exchange, config=dict(feed.ccxt or config.venue.ccxt)
    )
    request = FeedRequest(
        path=feed_path,
        symbols=feed.symbols,
        timeframe=feed.timeframe,
        timeframe_ns=feed.timeframe_ns,
        channels=frozenset(Channel(name) for name in feed.channels),
        history=history,
    )
    patience = FeedSettings(quiet_ms=feed.quiet_ms, poll_ms=feed.poll_ms)
    rng = Random(os.urandom(8))  # noqa: S311 - it spreads reconnects
    budget = budget_for(settings.exchange, settings.config)
    make: Callable[[], CcxtFeed] = partial(
        CcxtFeed, settings, request, rng=rng, patience=patience, budget=budget
    )
    return kind(make, feed_path, logger.debug)
