"""The ledger's housekeeping, done in a quiet moment: it would hold up the next commit.

One incarnation's, on the executor's thread.
"""

from collections.abc import Callable

from actors.context import Context
from actors.log import logger
from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_MS
from messages.lifecycle import TimerFired
from persistence.ledger import Ledger

TIDY = TimerFired(name="tidy the ledger")
QUIET_NS = 250 * NS_PER_MS
"""How long nothing is committed before it is a good moment for what would hold up a commit."""
TIDY_ROWS = 200
"""How many rows are written before the log is copied in such a moment: under half of what it may
hold. After each copy the log begins anew, and the next commit flushes its head too, which a
lone order would pay for if every quiet moment were used."""


class Tidying:
    """`write_rest` writes what can wait for such a moment, durably."""

    def __init__(self, ctx: Context, ledger: Ledger, write_rest: Callable[[], None]) -> None:
        self._ctx, self._ledger, self._write_rest = ctx, ledger, write_rest
        self._committed_ns = 0
        self._will_tidy = False
        self.rows = TIDY_ROWS
        """Written since the log was copied; what an earlier life left in it is not known."""

    def later(self) -> None:
        """Something was committed just now: wait until that was a while ago."""
        self._committed_ns = self._ctx.monotonic_ns()
        if not self._will_tidy:
            self._will_tidy = True
            self._ctx.after(QUIET_NS, TIDY)

    def tidy(self) -> None:
        """Let the ledger do its housekeeping, if there is some and nothing was committed lately."""
        left_ns = self._committed_ns + QUIET_NS - self._ctx.monotonic_ns()
        if left_ns > 0:
            self._ctx.after(left_ns, TIDY)
            return
        self._will_tidy = False
        try:
            self._write_rest()
            if self.rows >= TIDY_ROWS:
                self._ledger.tidy()
                self.rows = 0
        except LedgerUnavailable as error:  # the next commit says whether it is serious
            logger.bind(actor=self._ctx.path).warning("the ledger was not tidied: {}", error)
