"""How often a feed looks at its followers, and tells how far it is: seldom where nothing happens.

An idle bot wakes for little else, and fifty of them may share a machine.
"""

from typing import TYPE_CHECKING

from actors.context import Context
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import TimerFired
from messages.market import FeedReport

if TYPE_CHECKING:
    from actors.address import Address

CHECK, SOON = TimerFired(name="check"), TimerFired(name="soon")
CHECK_EVERY_NS = NS_PER_S // 2
"""Where nobody has anything to finish."""
SOON_NS = 50 * NS_PER_MS
"""Where somebody has: who was started anew is sent again what it had not finished."""
REPORT_EVERY_NS = NS_PER_S // 2
REPEAT_EVERY_NS = 5 * NS_PER_S
"""A report that says nothing new."""


class FeedRhythm:
    """Of one incarnation of a feed, on its thread. Both timers are only to look at followers."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._is_soon = False
        self._looked_ns = self._told_ns = 0
        self._told: FeedReport | None = None
        ctx.every(CHECK_EVERY_NS, CHECK)

    def fired(self, timer: TimerFired) -> None:
        """Learn which timer it was."""
        if timer == SOON:
            self._is_soon = False

    def check_soon(self) -> None:
        """Somebody has something to finish: look again before long."""
        if not self._is_soon:
            self._is_soon = True
            self._ctx.after(SOON_NS, SOON)

    def is_report_due(self) -> bool:
        """Say so at most twice a second."""
        now_ns = self._ctx.monotonic_ns()
        if now_ns - self._looked_ns < REPORT_EVERY_NS:
            return False
        self._looked_ns = now_ns
        return True

    def tell(self, metrics: "Address[FeedReport]", report: FeedReport) -> None:
        """Tell it, unless nothing is new and it was told just now."""
        now_ns = self._ctx.monotonic_ns()
        if report == self._told and now_ns - self._told_ns < REPEAT_EVERY_NS:
            return
        if self._ctx.tell(metrics, report):
            self._told, self._told_ns = report, now_ns
