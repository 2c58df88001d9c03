"""From config to a live feed: the gate before anything starts, and its place in the tree."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any, TypeVar

from actors.address import Address
from actors.children import ChildSpec
from actors.live_feed import LiveFeedActor
from actors.live_memory import LiveKept, LiveMemory, new_memory
from actors.log import logger
from exchanges.feed_connection import FeedConnection
from exchanges.feed_settings import Channel, FeedRequest, FeedSettings
from exchanges.warm_feed import WarmFeed
from messages.errors import BusAway, ConfigError, VenueAway
from messages.ids import NS_PER_MS, ActorPath
from ops.config import Config, VenueType
from ops.config_bus import address_of, missing_from
from ops.config_schema import NatsConfig
from ops.rate_budgets import budget_for

F = TypeVar("F", bound=FeedConnection)
GATE_S = 60.0
_NO_WINDOW = 1 << 30
KEPT_EVENTS = 16_384
"""Live events that are held for a follower that is slow or away; more are lost and told. The
history comes on top: a strategy that wants twenty days of minutes is shown all of them."""


def open_live(config: Config, feed_path: ActorPath, history: int) -> FeedConnection:
    """Connect to the market of a run and pass its gate; `history` is in candles per symbol.

    Raises:
        ConfigError: the login that is named is not there.
        VenueRefused: one sentence that says what to do.
    """
    _check_bus(config)
    return _opened(config, _connection(config, feed_path, history))


def open_warm(config: Config, feed_path: ActorPath, history: int) -> WarmFeed:
    """Connect as `open_live` does, and follow the market for whoever takes the feed over."""
    _check_bus(config)
    kind = partial(WarmFeed, keeps=history)
    connection = _opened(config, _connection(config, feed_path, history, kind))
    connection.warm()
    return connection


def _check_bus(config: Config) -> None:
    """Pass a config whose login to the bus, if it names one, is there."""
    if config.feed.nats is not None and (problems := missing_from(config.feed.nats)):
        raise ConfigError(problems)


def _opened(config: Config, connection: F) -> F:
    try:
        connection.open(GATE_S)
    except TimeoutError:
        connection.close(0)
        nats = config.feed.nats
        whom, kind = (nats.url, BusAway) if nats else (config.venue.exchange, VenueAway)
        raise kind(f"{whom} did not answer within {GATE_S:.0f} s: check the network") from None
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
    leaders: Iterable[ActorPath] = (),
) -> ChildSpec:
    """Give the feed's place in the tree; its first incarnation uses the `opened` connection.

    `leaders` finish an event before anybody else is sent it, where the market can wait for them.
    """
    return ChildSpec(
        name=feed_path.rpartition("/")[2],
        actor_class=LiveFeedActor,
        arguments={
            "connect": connector(config, feed_path, history, opened),
            "followers": followers,
            "kept": LiveKept(_memory(config, followers, history, leaders)),
            "metrics": metrics,
            "max_age_ns": _max_age_ns(config),
            "batch": config.feed.batch,
            "max_events": max_events,
        },
    )


def connector(
    config: Config, feed_path: ActorPath, history: int, opened: FeedConnection | None
) -> Callable[[], FeedConnection]:
    """Give what each incarnation of a feed connects with: first the one that is `opened`."""
    ready = [opened] if opened is not None else []

    def connect() -> FeedConnection:
        return ready.pop() if ready else _connection(config, feed_path, history)

    return connect


def _max_age_ns(config: Config) -> int | None:
    """Give from which age on an event comes too late; none does where the market can wait."""
    return config.risk.max_decision_age_ms * NS_PER_MS if config.feed.is_live else None


def _memory(
    config: Config, followers: list[Address[Any]], history: int, leaders: Iterable[ActorPath]
) -> LiveMemory:
    paths, leading = [one.path for one in followers], tuple(leaders)
    if config.feed.is_live:
        return new_memory(paths, KEPT_EVENTS + history * len(config.feed.symbols))
    window = 1 if leading else config.feed.window
    return new_memory(paths, KEPT_EVENTS + 2 * config.feed.window, window, leading)


def _connection(
    config: Config,
    feed_path: ActorPath,
    history: int,
    kind: Callable[..., F] = FeedConnection,  # type: ignore[assignment]  # F is then a FeedConnection
) -> F:
    feed = config.feed
    if feed.nats is not None:
        over_nats: F = _bus_connection(config, feed.nats, feed_path, history, kind)
        return over_nats
    from exchanges.ccxt_feed import CcxtFeed
    from exchanges.ccxt_settings import CcxtSettings

    settings = CcxtSettings(
        exchange=config.venue.exchange, config=dict(feed.ccxt or config.venue.ccxt)
    )
    request = request_of(config, feed_path, history)
    patience = FeedSettings(quiet_ms=feed.quiet_ms, poll_ms=feed.poll_ms)
    rng = Random(os.urandom(8))  # noqa: S311 - it spreads reconnects
    budget = budget_for(settings.exchange, settings.config)
    make: Callable[[], CcxtFeed] = partial(
        CcxtFeed, settings, request, rng=rng, patience=patience, budget=budget
    )
    return kind(make, feed_path, logger.debug)


def _bus_connection(
    config: Config,
    nats: NatsConfig,
    feed_path: ActorPath,
    history: int,
    kind: Callable[..., Any],
) -> Any:
    """Give the connection to a market on the bus; one that is kept warm has no room to wait for."""
    from exchanges.nats_connection import NatsConnection
    from exchanges.nats_feed import BusSettings, NatsFeed

    is_live = config.venue.type is VenueType.CCXT
    settings = BusSettings(
        clock=str(nats.clock),
        source=f"ccxt:{config.venue.exchange}" if is_live else "",
        quiet_ms=config.feed.quiet_ms,
        window=config.feed.window if kind is FeedConnection else _NO_WINDOW,
    )
    request = request_of(config, feed_path, history)
    rng = Random(os.urandom(8))  # noqa: S311 - it spreads reconnects
    make = partial(NatsFeed, address_of(nats), request, settings, rng=rng)
    made: Callable[..., Any] = NatsConnection if kind is FeedConnection else kind
    return made(make, feed_path, logger.debug)


def request_of(config: Config, feed_path: ActorPath, history: int) -> FeedRequest:
    """Give what a live feed is asked for."""
    feed = config.feed
    return FeedRequest(
        path=feed_path,
        symbols=feed.symbols,
        timeframe=feed.timeframe,
        timeframe_ns=feed.timeframe_ns,
        channels=frozenset(Channel(name) for name in feed.channels),
        history=history,
    )
