"""Pure rules of supervision, OTP's own: who is restarted, in which order, and when it is over.

Source: Erlang/OTP `supervisor` (behaviour and design principles). Added: backoff, halting.
"""

from collections import deque
from enum import StrEnum
from random import Random

import msgspec

from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import ExitReason


class Strategy(StrEnum):
    """Who else is restarted when one child fails."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"
    SIMPLE_ONE_FOR_ONE = "simple_one_for_one"


class Restart(StrEnum):
    """When one child is restarted: always, after a failure only, never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class AutoShutdown(StrEnum):
    """Whether the end of significant children ends their supervisor (OTP 24)."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class OnExhausted(StrEnum):
    """What happens after one restart too many."""

    ESCALATE = "escalate"
    """Stop all children, then end with `shutdown`: the supervisor above decides."""
    HALT = "halt"
    """Stop what failed, park it and wait for a person: a breaker, not a crash loop."""


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before the n-th restart in a row. Zero `min_ms` restarts at once."""

    min_ms: int = 500
    max_ms: int = 30_000
    reset_after_ms: int = 60_000
    """A child that lived this long begins again at `min_ms`."""

    def delay_ns(self, attempt: int, rng: Random) -> int:
        """Give a span with half jitter: between half and all of `min_ms * 2**(attempt-1)`."""
        if self.min_ms == 0:
            return 0
        ceiling_ms = min(self.min_ms * 2 ** min(attempt - 1, 30), self.max_ms)
        return int(ceiling_ms * NS_PER_MS * (0.5 + rng.random() / 2))


IMMEDIATE = Backoff(min_ms=0)


class Intensity(msgspec.Struct, frozen=True, kw_only=True):
    """At most `max_restarts` restarts within `window_s` seconds; one more is too many."""

    max_restarts: int = 1
    window_s: float = 5.0


class RestartWindow:
    """Counts the restart attempts of the last `window_s` on a monotonic clock."""

    def __init__(self, intensity: Intensity) -> None:
        self.intensity = intensity
        self._at_ns: deque[int] = deque()

    def add(self, now_ns: int) -> bool:
        """Count one attempt; False when it is one too many."""
        self._at_ns.append(now_ns)
        return self.count(now_ns) <= self.intensity.max_restarts

    def count(self, now_ns: int) -> int:
        """How many attempts are inside the window."""
        horizon_ns = now_ns - int(self.intensity.window_s * NS_PER_S)
        while self._at_ns and self._at_ns[0] < horizon_ns:
            self._at_ns.popleft()
        return len(self._at_ns)

    def clear(self) -> None:
        """Begin anew: a person resumed the child."""
        self._at_ns.clear()


class HangWatch:
    """For how long a child has been at one message, told by a supervisor at each of its looks.

    Of a message that holds much, such as a batch of events, it is for how long it has been at one
    place in it. Between two looks no more than twice their distance counts: while the process was
    stopped, or its machine paused, nobody came on, and nobody hung.
    """

    def __init__(self, look_ns: int) -> None:
        self._most_ns = 2 * look_ns
        self._since_ns: int | None = None
        self._place: int | None = None
        self._looked_ns = self._spent_ns = 0
        self.came_on = False
        """Whether it was at another place of the same message when it was last looked at."""

    def look(self, since_ns: int | None, now_ns: int, place: int | None = None) -> int:
        """Give how long it took so far; `since_ns` is when it was begun, None for no message.

        `place` is how far it came, where it says so.
        """
        is_other = since_ns != self._since_ns
        self.came_on = not is_other and since_ns is not None and place != self._place
        if is_other or self.came_on:
            self._since_ns, self._spent_ns = since_ns, 0
            self._looked_ns = since_ns if is_other and since_ns is not None else now_ns
        self._place = place
        self._spent_ns += min(now_ns - self._looked_ns, self._most_ns)
        self._looked_ns = now_ns
        return 0 if since_ns is None else self._spent_ns


def is_failure(reason: ExitReason) -> bool:
    """Whether an exit was abnormal."""
    return reason not in (ExitReason.NORMAL, ExitReason.SHUTDOWN)


def wants_restart(restart: Restart, reason: ExitReason) -> bool:
    """Whether a child of this type comes back after this exit."""
    if restart is Restart.PERMANENT:
        return True
    return restart is Restart.TRANSIENT and is_failure(reason)


def affected(strategy: Strategy, children: list[str], failed: str) -> list[str]:
    """Who goes down and comes back with `failed` (itself included), in start order."""
    place = children.index(failed)
    match strategy:
        case Strategy.ONE_FOR_ALL:
            return list(children)
        case Strategy.REST_FOR_ONE:
            return children[place:]
        case Strategy.ONE_FOR_ONE | Strategy.SIMPLE_ONE_FOR_ONE:
            return [failed]


def ends_supervisor(mode: AutoShutdown, *, significant_left: int) -> bool:
    """Whether a significant child's own end is the supervisor's end too."""
    if mode is AutoShutdown.ALL_SIGNIFICANT:
        return significant_left == 0
    return mode is AutoShutdown.ANY_SIGNIFICANT
