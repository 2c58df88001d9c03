"""What an executor does while its ledger's server is away: nothing new is risked, and it says so.

It goes on living, so that a person's halt is taken and the market is followed; what needs the
ledger waits. Once the server is back, the executor ends by the error it was lost with, and its
next incarnation begins as any does: it fences the connection that was lost, reads what is there,
asks the venue for all that is open, and looks every decision up that waited. A claim whose commit
was never answered is then found, and settled by asking, or it is not there, and made anew.
"""

from collections.abc import Callable
from typing import Any

from actors.context import Context
from actors.log import logger
from messages.base import Message
from messages.errors import LedgerLost
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, TimerFired
from messages.market import MarketBatch
from messages.orders import (
    CancelAgain,
    CancelIntent,
    LookupDone,
    MarketReports,
    OrderIntent,
    OrderReport,
    SendAgain,
    SubmitDone,
)

LOOK = TimerFired(name="look for the ledger")
LOOK_NS = NS_PER_S
MOST_WAITING = 20_000
"""With more it ends at once: memory is finite, and nobody is there."""

_WAITS = (
    OrderIntent,
    CancelIntent,
    SubmitDone,
    MarketReports,
    OrderReport,
    LookupDone,
    SendAgain,
    CancelAgain,
)


class LedgerAway:
    """Of one incarnation, from the moment it lost its ledger until it ends.

    `answers` is the ledger's. `waiting` is what its executor was working on and hands to its
    successor; what comes is added. `replayed`: the market waits for us too.
    """

    def __init__(
        self,
        ctx: Context,
        answers: Callable[[], bool],
        error: LedgerLost,
        waiting: list[Message],
        *,
        replayed: bool,
    ) -> None:
        self._ctx, self._answers, self._error = ctx, answers, error
        self._since_ns = ctx.monotonic_ns()
        self._waits = (*_WAITS, MarketBatch) if replayed else _WAITS
        self._waiting = waiting
        logger.bind(actor=ctx.path).error("{}; nothing is sent until it is back", error)
        self._show()
        ctx.after(LOOK_NS, LOOK)

    @property
    def left_undone(self) -> str:
        """Say what stays undone if the end comes before the ledger is back."""
        return (
            f"the ledger was away at the end and {len(self._waiting)} messages waited for it; start"
            f" again when it is back, which settles them: {self._error}"
        )

    def receive(self, message: Any, handle: Callable[[Any], None]) -> None:
        """Take one message: keep it, or handle it as far as it needs no ledger.

        Raises:
            LedgerLost: it is back, so this incarnation is over.
            LedgerError: it is another's, or of no use any more.
        """
        if message == LOOK:
            self._look()
        elif isinstance(message, self._waits):
            self._wait(message)
        elif not isinstance(message, TimerFired):  # the next incarnation has timers of its own
            try:
                handle(message)
            except LedgerLost:
                self._wait(message)

    def _wait(self, message: Message) -> None:
        self._waiting.append(message)
        if len(self._waiting) > MOST_WAITING:
            raise self._error

    def _look(self) -> None:
        if not self._answers():
            self._show()
            self._ctx.after(LOOK_NS, LOOK)
            return
        raise LedgerLost(f"{self._error}; it is back: the executor begins anew") from self._error

    def _show(self) -> None:
        away_s = (self._ctx.monotonic_ns() - self._since_ns) // NS_PER_S
        text = f"the ledger is away for {away_s} s, nothing new is sent: {self._error}"
        self._ctx.show_state(ActorState.RECONCILING, text)
