"""Who counts waits while an order is on its way: nobody waits for what is counted.

A line of metrics is some 50 us of the interpreter, and a second's worth of them some milliseconds.
The order that meets them takes turns with them, and comes so much later.
"""

from collections.abc import Callable

from messages.ids import NS_PER_MS, NS_PER_S

SPAN_NS, MOST_NS = 20 * NS_PER_MS, 3 * NS_PER_MS
"""In each span it waits no longer than this: where orders never end, counting goes on too."""
NAP_NS = NS_PER_MS
"""How long it waits before it looks again: each look takes the interpreter from somebody too."""


class GivingWay:
    """One thread's. `is_under_way` says whether an order is; `wait_s` waits without working."""

    def __init__(
        self,
        is_under_way: Callable[[], bool],
        wait_s: Callable[[float], object],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._is_under_way, self._wait_s, self._now_ns = is_under_way, wait_s, monotonic_ns
        self._begun_ns = monotonic_ns()
        self._waited_ns = 0

    def __call__(self) -> None:
        """Wait for as long as an order is on its way, and not for too long."""
        if not self._is_under_way():
            return
        now_ns = self._now_ns()
        if now_ns - self._begun_ns >= SPAN_NS:
            self._begun_ns, self._waited_ns = now_ns, 0
        while self._waited_ns < MOST_NS and self._is_under_way():
            self._wait_s(NAP_NS / NS_PER_S)
            before_ns, now_ns = now_ns, self._now_ns()
            self._waited_ns += max(now_ns - before_ns, NAP_NS)
