"""Which faults are told to a person: each once, its end once, and never too many.

A fold: at each look it takes what is wrong now and gives the notices that are due. A fault is
told when it is first seen, and its end when it has been away for a while (`calm_s`), so that
what comes and goes is told as one. A fault that the limits hold back is told as soon as they
allow; if it is over by then, it is counted and not told.
"""

from collections import deque
from collections.abc import Collection, Iterable
from enum import StrEnum

import msgspec

from messages.ids import NS_PER_S, TimestampNs

_HOUR_NS = 3_600 * NS_PER_S


class Severity(StrEnum):
    """How soon a person should look."""

    WARNING = "warning"
    CRITICAL = "critical"


class Stage(StrEnum):
    """Which end of a fault a notice tells of."""

    FIRING = "firing"
    RECOVERED = "recovered"


class Condition(msgspec.Struct, frozen=True):
    """Something is wrong now. Two with one key are the same fault, seen again."""

    rule: str
    key: str
    severity: Severity
    sentence: str


class Notice(msgspec.Struct, frozen=True):
    """What a person is told. Of one key, firing and recovered take turns."""

    rule: str
    key: str
    state: Stage
    severity: Severity
    sentence: str
    held_back: int = 0
    """How many faults came and went untold since the last notice, for the limits' sake."""


class NoticeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a person can be told. In no hour more than these."""

    per_hour: int = 30
    """Of all notices; the last third is for what is critical."""
    per_key_per_hour: int = 6
    calm_s: float = 30.0
    """How long a fault must be away before it is over."""


class Fault(msgspec.Struct):
    """One key's state: seen, and perhaps told."""

    condition: Condition
    since_ns: TimestampNs
    """Since when it has been there at every look, UTC."""
    seen_ns: int
    """When it was last seen, on the clock of the fold."""
    told: bool = False


class AlertFold:
    """Not for several threads. `now_ns` is of a clock that does not go back."""

    def __init__(self, limits: NoticeLimits) -> None:
        self._limits = limits
        self._faults: dict[str, Fault] = {}
        self._told_at: deque[int] = deque()
        self._told_of: dict[str, deque[int]] = {}
        self._held_back = 0
        self._now_ns = 0

    @property
    def firing(self) -> list[Fault]:
        """The faults that are not over, told or held back, oldest first."""
        there = [f for f in self._faults.values() if not self._is_over(f, self._now_ns)]
        return sorted(there, key=lambda fault: fault.since_ns)

    @property
    def waiting(self) -> int:
        """How many faults the limits hold back now."""
        return sum(1 for fault in self._faults.values() if not fault.told)

    def take(
        self, conditions: Iterable[Condition], now_ns: int, utc_ns: TimestampNs
    ) -> list[Notice]:
        """Look once: give the notices that are due, what is critical first."""
        self._see(conditions, now_ns, utc_ns)
        self._forget(now_ns)
        due = sorted((f for f in self._faults.values() if self._is_due(f, now_ns)), key=_urgency)
        return [self._tell(fault) for fault in due if self._may_tell(fault, now_ns)]

    def take_last(
        self, conditions: Collection[Condition], now_ns: int, utc_ns: TimestampNs
    ) -> list[Notice]:
        """Give a notice of each that was not told, whatever the limits say: there is no later."""
        self._see(conditions, now_ns, utc_ns)
        faults = {c.key: self._faults[c.key] for c in conditions}
        return [self._tell(fault) for fault in faults.values() if not fault.told]

    def _see(self, conditions: Iterable[Condition], now_ns: int, utc_ns: TimestampNs) -> None:
        last_ns, self._now_ns = self._now_ns, now_ns
        for condition in conditions:
            fault = self._faults.get(condition.key)
            if fault is None:
                self._faults[condition.key] = Fault(condition, utc_ns, now_ns)
            else:
                if fault.seen_ns < last_ns:  # it was away, though not for long enough to be told
                    fault.since_ns = utc_ns
                fault.condition, fault.seen_ns = condition, now_ns

    def _forget(self, now_ns: int) -> None:
        """Leave out what was over before it could be told, and times that count no more."""
        for key, fault in list(self._faults.items()):
            if not fault.told and self._is_over(fault, now_ns):
                del self._faults[key]
                self._held_back += 1
        _leave_out_before(now_ns - _HOUR_NS, self._told_at)
        for key, times in list(self._told_of.items()):
            _leave_out_before(now_ns - _HOUR_NS, times)
            if not times:
                del self._told_of[key]

    def _is_due(self, fault: Fault, now_ns: int) -> bool:
        return not fault.told or self._is_over(fault, now_ns)

    def _is_over(self, fault: Fault, now_ns: int) -> bool:
        return now_ns > fault.seen_ns and now_ns - fault.seen_ns >= self._limits.calm_s * NS_PER_S

    def _may_tell(self, fault: Fault, now_ns: int) -> bool:
        limits, key = self._limits, fault.condition.key
        is_critical = fault.condition.severity is Severity.CRITICAL
        room = limits.per_hour if is_critical else limits.per_hour - limits.per_hour // 3
        of_key = len(self._told_of.get(key, ()))
        if len(self._told_at) >= room or of_key >= limits.per_key_per_hour:
            return False
        self._told_at.append(now_ns)
        self._told_of.setdefault(key, deque()).append(now_ns)
        return True

    def _tell(self, fault: Fault) -> Notice:
        stage = Stage.RECOVERED if fault.told else Stage.FIRING
        condition, held_back = fault.condition, self._held_back
        self._held_back = 0
        if stage is Stage.FIRING:
            fault.told = True
        else:
            del self._faults[condition.key]
        return Notice(
            rule=condition.rule,
            key=condition.key,
            state=stage,
            severity=condition.severity,
            sentence=condition.sentence,
            held_back=held_back,
        )


def _urgency(fault: Fault) -> tuple[bool, bool]:
    return (fault.condition.severity is not Severity.CRITICAL, fault.told)


def _leave_out_before(moment_ns: int, times: deque[int]) -> None:
    while times and times[0] <= moment_ns:
        times.popleft()
