"""The exchange's time by a machine's clock that somebody may set. Pure."""

from collections.abc import Callable

from messages.ids import NS_PER_MS

_JUMP_NS = 500 * NS_PER_MS
"""What slewing can't do between two measurements."""


class SteadyClock:
    """It never comes to a moment before the exchange does: a bar is over by it.

    Where a machine's clock is put right, a difference that was measured before is wrong by as
    much, until it is measured again. So the time that has passed since then has a say, too.
    """

    def __init__(self, utc_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns
        self.set(0)

    def set(self, skew_ns: int) -> None:
        """Learn by how much the exchange's clock is ahead of this machine's now."""
        self._skew_ns = skew_ns
        self._ahead_ns = self._by_utc() - self._monotonic_ns()

    @property
    def has_jumped(self) -> bool:
        """Whether the machine's clock, or the machine, has made a leap since it was set."""
        return abs(self._by_utc() - self._by_passing()) > _JUMP_NS

    def now_ns(self) -> int:
        """Give the earlier one of the two: later is safe."""
        return min(self._by_utc(), self._by_passing())

    def _by_utc(self) -> int:
        return self._utc_ns() + self._skew_ns

    def _by_passing(self) -> int:
        return self._monotonic_ns() + self._ahead_ns
