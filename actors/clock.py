"""The one place of the actors' floor that reads a clock."""

import time
from typing import Protocol

from messages.ids import TimestampNs


class Clock(Protocol):
    """UTC for facts, monotonic for spans; both in nanoseconds, from any thread."""

    def utc_ns(self) -> TimestampNs:
        """Now, for facts that are stored or shown."""

    def monotonic_ns(self) -> int:
        """Now, for spans; never goes back."""


class SystemClock:
    """The machine's clocks."""

    monotonic_ns = staticmethod(time.monotonic_ns)

    @staticmethod
    def utc_ns() -> TimestampNs:
        """Now, by the machine's wall clock."""
        return TimestampNs(time.time_ns())


class VirtualClock:
    """Time that moves only when told to; both clocks show the same."""

    def __init__(self, start_ns: int = 0) -> None:
        self.now_ns = start_ns

    def utc_ns(self) -> TimestampNs:
        """Now, in virtual time."""
        return TimestampNs(self.now_ns)

    def monotonic_ns(self) -> int:
        """Now, in virtual time."""
        return self.now_ns

    def advance_to(self, now_ns: int) -> None:
        """Move forward; a moment in the past changes nothing."""
        self.now_ns = max(self.now_ns, now_ns)
