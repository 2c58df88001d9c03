"""What a supervisor is told of its children, and what it remembers of each."""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.cell import Cell
from decisions.supervisor import (
    AutoShutdown,
    Backoff,
    HangWatch,
    Intensity,
    OnExhausted,
    Restart,
    RestartWindow,
    Strategy,
)
from messages.ids import NS_PER_MS
from messages.lifecycle import RetryStart


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One child: OTP's child specification as plain data. Times in milliseconds."""

    name: str
    actor_class: Any
    arguments: dict[str, Any] = {}
    restart: Restart = Restart.PERMANENT
    shutdown_ms: int | msgspec.UnsetType | None = msgspec.UNSET
    """How long an orderly stop may take before the child is killed; 0 kills at once
    (`brutal_kill`), None waits for ever (`infinity`). Unset: what the actor's class says,
    5 s for a worker and for ever for a supervisor."""
    drain: bool = False
    """Whether an orderly stop first handles what is queued."""
    significant: bool = False
    start_timeout_ms: int = 10_000
    capacity: int = 1024
    hang_after_ms: int = 0
    """How long one message may take before the child counts as hung; 0: for ever."""
    replaces_hung: bool = True
    """Whether one that counts as hung is fenced and replaced, or only told of."""
    progress_ms: int = 0
    """How long it may do no useful work before health calls it critical; 0: for ever."""

    @property
    def shutdown_ns(self) -> int | None:
        """`shutdown_ms` in nanoseconds; None waits for ever."""
        limit_ms = self.shutdown_ms
        if limit_ms is msgspec.UNSET:
            limit_ms = getattr(self.actor_class, "shutdown_ms", 5_000)
        return None if limit_ms is None else limit_ms * NS_PER_MS

    def with_arguments(self, values: tuple[str, ...]) -> "ChildSpec":
        """Give the template's spec with the extra arguments of one dynamic child."""
        return msgspec.structs.replace(self, arguments={**self.arguments, "extra": values})


class SupervisorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One supervisor. `template` is the spec of every child under simple_one_for_one."""

    children: tuple[ChildSpec, ...] = ()
    template: ChildSpec | None = None
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = Intensity()
    intensity_per_child: bool = False
    """Count each child's restarts apart, as if each had a supervisor of its own."""
    backoff: Backoff = Backoff()
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    on_exhausted: OnExhausted = OnExhausted.ESCALATE
    fatal_errors: frozenset[str] = frozenset()
    """Names of exceptions that no restart can mend: give up at once."""
    passing_errors: frozenset[str] = frozenset()
    """Names of exceptions that time alone cures: tried again for ever, and not counted."""
    tolerant_start: bool = False
    """At boot, a child that does not come up is retried like one that failed later,
    instead of failing the start of them all. For children that do not need each other."""
    check_every_ms: int = 500
    on_halt: Callable[[str, str], None] | None = None
    """Called with the child and the reason, in the supervisor's thread, after a halt."""


class Child:
    """A supervisor's memory of one child; read and written by the supervisor only."""

    def __init__(self, spec: ChildSpec, cell: Cell, look_ns: int, name: str | None = None) -> None:
        self.spec = spec
        self.cell = cell
        self.name = name or spec.name
        self.live = False
        self.waiting = False
        """A restart is due: by backoff, or because a sibling took it down."""
        self.retry: RetryStart | None = None
        """The one retry that counts; those that were set before it are void."""
        self.attempt = 0
        self.started_ns = 0
        self.late = False
        self.is_told_hung = False
        self.hang_watch = HangWatch(look_ns)
        self.window = RestartWindow(Intensity())

    @property
    def drains(self) -> bool:
        """Whether it has time, at its end, to handle what waits for it."""
        return self.spec.drain and self.spec.shutdown_ns != 0
