"""What turns monotonic moments into UTC: one for a process, so that lines keep their order."""

from collections.abc import Callable

from actors.log import logger
from messages.ids import NS_PER_MS, NS_PER_S

JUMP_NS = 100 * NS_PER_MS
"""More is a clock that was set, or a machine that slept; less is the noise of reading both."""
_TRUSTED_NS = 10 * NS_PER_MS
"""A reading that took longer was interrupted between the clocks."""


class UtcOffset:
    """UTC minus the monotonic clock, in nanoseconds. One thread uses it.

    It stays as it was read first. Only when the wall clock jumps does it follow, and says so: lines
    after that may be dated before those that precede them.
    """

    def __init__(self, utc_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns
        self._offset_ns = min((self._read() for _ in range(5)), key=lambda read: read[1])[0]

    def current_ns(self) -> int:
        """Give it, after a look at whether the wall clock has jumped."""
        offset_ns, took_ns = self._read()
        jump_ns = offset_ns - self._offset_ns
        if took_ns <= _TRUSTED_NS and abs(jump_ns) > JUMP_NS:
            self._offset_ns = offset_ns
            logger.bind(actor="metrics").warning(
                "the wall clock moved by {:+.3f} s, and the times in metrics.ndjson with it",
                jump_ns / NS_PER_S,
            )
        return self._offset_ns

    def _read(self) -> tuple[int, int]:
        before_ns, utc_ns, after_ns = self._monotonic_ns(), self._utc_ns(), self._monotonic_ns()
        return utc_ns - (before_ns + after_ns) // 2, after_ns - before_ns
