"""How fast an account may ask: one budget per key, orders first, data last, Retry-After obeyed.

Costs are in milliseconds of the exchange's rate, as ccxt gives them: its `rateLimit` times the
weight of the call. ccxt's own throttle is replaced by this one through its `throttle` hook, since
its queue is first come, first served: an order would wait behind a page of old candles.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from enum import IntEnum

from messages.ids import NS_PER_MS, NS_PER_S


class Urgency(IntEnum):
    """Who goes first; within one level, who came first."""

    ORDER = 0
    QUESTION = 1
    """About orders and the account: while an outcome is unknown nothing more is sent."""
    DATA = 2


DEFAULT_BURST_MS = 2_000
DEFAULT_RESERVE_MS = 500
_LONGEST_NAP_NS = NS_PER_S // 10
_TOLD_FROM_MS = 5_000
"""A shorter span is over before a person has read of it."""
_THROTTLED = {418: 120_000, 429: 10_000}
"""How long to stay away when the exchange did not say: a ban (418) is two minutes at least."""


class Ticket:
    """One caller in the queue."""

    __slots__ = ("cost_ns", "number", "urgency")

    def __init__(self, cost_ns: int, urgency: Urgency, number: int) -> None:
        self.cost_ns = cost_ns
        self.urgency = urgency
        self.number = number

    def goes_before(self, other: "Ticket") -> bool:
        """Whether this one is served first."""
        return (self.urgency, self.number) < (other.urgency, other.number)


class Budget:
    """The arithmetic: a bucket that fills by one nanosecond of cost a nanosecond. No clock.

    It holds at most `burst_ms`; all other calls leave `reserve_ms` of it to orders. A call dearer
    than its share goes when the bucket is full.
    """

    def __init__(
        self, burst_ms: int = DEFAULT_BURST_MS, reserve_ms: int = DEFAULT_RESERVE_MS
    ) -> None:
        self._burst_ns = burst_ms * NS_PER_MS
        self._reserve_ns = min(reserve_ms, burst_ms) * NS_PER_MS
        self._level_ns = self._burst_ns
        self._filled_at_ns: int | None = None
        self._blocked_until_ns = 0
        self._next_number = 0
        self._queue: list[Ticket] = []

    @property
    def waiting(self) -> int:
        """How many callers are in the queue."""
        return len(self._queue)

    def join(self, cost_ms: float, urgency: Urgency) -> Ticket:
        """Enter the queue."""
        ticket = Ticket(max(0, round(cost_ms * NS_PER_MS)), urgency, self._next_number)
        self._next_number += 1
        self._queue.append(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up a place; one that was served already has none."""
        if ticket in self._queue:
            self._queue.remove(ticket)

    def take(self, ticket: Ticket, now_ns: int) -> int:
        """Take the cost and leave the queue: 0. Or give for how long to wait, in nanoseconds."""
        self._fill(now_ns)
        if now_ns < self._blocked_until_ns:
            return self._blocked_until_ns - now_ns
        ahead = sum(other.cost_ns for other in self._queue if other.goes_before(ticket))
        missing = self._needed(ticket) + ahead - self._level_ns
        if missing > 0:
            return missing
        if any(other.goes_before(ticket) for other in self._queue):
            return NS_PER_MS
        self._queue.remove(ticket)
        self._level_ns -= ticket.cost_ns
        return 0

    def give_back(self, cost_ms: float) -> None:
        """Undo a `take`: what it was for did not leave."""
        self._level_ns = min(self._burst_ns, self._level_ns + round(cost_ms * NS_PER_MS))

    def block(self, now_ns: int, span_ms: int) -> None:
        """Let nothing through for a span; a shorter one does not shorten it."""
        self._blocked_until_ns = max(self._blocked_until_ns, now_ns + span_ms * NS_PER_MS)

    def blocked_for_ns(self, now_ns: int) -> int:
        """Give for how long nothing goes through."""
        return max(0, self._blocked_until_ns - now_ns)

    def _needed(self, ticket: Ticket) -> int:
        reserve_ns = 0 if ticket.urgency is Urgency.ORDER else self._reserve_ns
        return min(ticket.cost_ns + reserve_ns, self._burst_ns)

    def _fill(self, now_ns: int) -> None:
        if self._filled_at_ns is not None:
            gained_ns = max(0, now_ns - self._filled_at_ns)
            self._level_ns = min(self._burst_ns, self._level_ns + gained_ns)
        self._filled_at_ns = max(now_ns, self._filled_at_ns or 0)


class RateBudget:
    """One per key, shared by all that use it, on any loop. A wait is the task's, not a thread's.

    `on_blocked` is told the HTTP status and how many seconds nothing is asked, where those are
    many and nobody was told of them; on the loop that heard it.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        on_blocked: Callable[[int, float], object] = lambda _status, _seconds: None,
    ) -> None:
        self._budget = budget or Budget()
        self._now_ns = monotonic_ns
        self._on_blocked = on_blocked
        self._lock = threading.Lock()
        self.blocked_by = 0
        """The HTTP status with which the exchange last wished to be left alone; 0 for never."""

    async def acquire(self, cost_ms: float, urgency: Urgency) -> None:
        """Wait for a turn; a cancelled wait costs nothing."""
        with self._lock:
            ticket = self._budget.join(cost_ms, urgency)
        try:
            while True:
                wait_ns = self._take(ticket)
                if not wait_ns:
                    return
                await asyncio.sleep(min(wait_ns, _LONGEST_NAP_NS) / NS_PER_S)
        finally:
            with self._lock:
                self._budget.leave(ticket)

    def give_back(self, cost_ms: float) -> None:
        """Return the cost of a request that had its turn and did not leave."""
        with self._lock:
            self._budget.give_back(cost_ms)

    def heard(self, http_status: int, retry_after_ms: int | None) -> None:
        """Stay away when the exchange says so (429, 418), for as long as it says."""
        if http_status not in _THROTTLED:
            return
        span_ms = _THROTTLED[http_status] if retry_after_ms is None else retry_after_ms
        with self._lock:
            now_ns = self._now_ns()
            longer_ns = span_ms * NS_PER_MS - self._budget.blocked_for_ns(now_ns)
            self._budget.block(now_ns, span_ms)
            self.blocked_by = http_status
        if longer_ns >= _TOLD_FROM_MS * NS_PER_MS:
            self._on_blocked(http_status, span_ms / 1_000)

    @property
    def blocked_for_ms(self) -> int:
        """Give for how long the exchange wants to hear nothing."""
        with self._lock:
            return self._budget.blocked_for_ns(self._now_ns()) // NS_PER_MS

    def _take(self, ticket: Ticket) -> int:
        with self._lock:
            return self._budget.take(ticket, self._now_ns())
