"""What the branches of the tree share when it is put together."""

from typing import Any

import msgspec

from actors.address import Address
from actors.children import ChildSpec, SupervisorSpec
from actors.supervisor import Supervisor
from decisions.supervisor import Backoff
from messages.ids import NS_PER_MS, StrategyId
from ops.config import Config


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the actors of a run are reached, from before any of them has started."""

    executor: Address[Any]
    metrics: Address[Any]
    feed: Address[Any]
    strategies: dict[StrategyId, Address[Any]]


def supervisor_spec(name: str, spec: SupervisorSpec, metrics: Address[Any]) -> ChildSpec:
    """Give the supervisor of a branch as a child of the one above; it tells `metrics`."""
    return ChildSpec(
        name=name,
        actor_class=Supervisor,
        arguments={"spec": spec, "on_event": metrics.tell},
        shutdown_ms=None,
        start_timeout_ms=60_000,
    )


def progress_ms(config: Config) -> int:
    """How long no event may come: three bars of the market's pace, and a minute."""
    speed = config.feed.speed
    bars_ms = 3 * config.feed.timeframe_ns / NS_PER_MS / speed if speed else 0
    return 60_000 + int(bars_ms)


def backoff(config: Config) -> Backoff:
    """Give how long a branch waits before it starts a child again."""
    settings = config.supervision
    return Backoff(min_ms=settings.backoff_min_ms, max_ms=settings.backoff_max_ms)
