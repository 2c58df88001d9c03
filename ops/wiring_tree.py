"""What the branches of the tree share when it is put together."""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.address import Address
from actors.cell import Cell
from actors.children import ChildSpec, SupervisorSpec
from actors.runtime import Runtime, Started
from actors.supervisor import Supervisor
from decisions.supervisor import Backoff
from messages.ids import NS_PER_MS, StrategyId
from messages.lifecycle import ExitReason
from ops.config import Config

SUPERVISOR_HANG_MS = 30_000
"""How long a supervisor may be at one place of a message, beside what it waits for a child: its own
work takes milliseconds, and all that it looks after goes down with it."""
_LEAST_START_MS = 60_000
_MARGIN_MS = 10_000


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
        start_timeout_ms=start_limit_ms(spec),
        hang_after_ms=SUPERVISOR_HANG_MS,
    )


def start_limit_ms(spec: SupervisorSpec) -> int:
    """How long a supervisor may take to start: each child in its turn, and a margin.

    So the one that is too slow is given up first, and named.
    """
    return max(_LEAST_START_MS, sum(one.start_timeout_ms for one in spec.children) + _MARGIN_MS)


def start_root(runtime: Runtime, root: Cell) -> Started:
    """Start a tree from its root, which has as long as all below it."""
    return runtime.start(root, start_limit_ms(root.arguments["spec"]) * NS_PER_MS)


def stop_root(runtime: Runtime, root: Cell, does_rounds: Callable[[], bool]) -> bool:
    """Stop a tree in order, however long it takes; False for a root that hung, and was fenced."""
    return runtime.stop_while(root, does_rounds) is not ExitReason.KILLED


def progress_ms(config: Config) -> int:
    """How long no event may come: three bars of the market's pace, and a minute."""
    speed = config.feed.speed
    bars_ms = 3 * config.feed.timeframe_ns / NS_PER_MS / speed if speed else 0
    return 60_000 + int(bars_ms)


def backoff(config: Config) -> Backoff:
    """Give how long a branch waits before it starts a child again."""
    settings = config.supervision
    return Backoff(min_ms=settings.backoff_min_ms, max_ms=settings.backoff_max_ms)
