"""Orders of which the venue says, after they had ended here, that more is filled.

A venue may answer that an order is canceled, and tell of its last execution after that. The state
is final, and so is what it had filled: positions and exits go by that. So a person is told, until
he says that he knows; over restarts too, for the ledger and the venue differ as long.

One incarnation's, on the executor's thread.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors.context import Context
from actors.log import logger
from decisions.executor import GrownLate, grown_late
from messages.ids import OrderKey
from messages.orders import OrderReport
from persistence.ledger import Ledger, LedgerEntry

LATE_FILLS = "late_fills"
"""The note under which they lie in the ledger."""


_LOST = (
    "which orders filled after their end cannot be read from the ledger: compare the account with"
    ' what you hold, then `watchkeeper account --accept "WHY"`'
)


class LateFills:
    """`keep` writes a note durably."""

    def __init__(
        self, ctx: Context, ledger: Ledger, keep: Callable[[Mapping[str, str]], Any]
    ) -> None:
        self._ctx, self._keep = ctx, keep
        self.on_new: Callable[[], object] = lambda: None
        """Lets health say it."""
        text = ledger.note(LATE_FILLS)
        self._lost = ""
        try:
            kept = msgspec.json.decode(text, type=list[GrownLate]) if text else []
        except (msgspec.MsgspecError, UnicodeError):
            kept, self._lost = [], _LOST
            logger.bind(actor=ctx.path).error("{}", _LOST)
        self._grown: dict[OrderKey, GrownLate] = {one.order_key: one for one in kept}

    def saw(self, entry: LedgerEntry, report: OrderReport) -> None:
        """Hold what the venue says of an order against how it has ended here.

        Raises:
            LedgerError: it could not be written down.
        """
        grown = grown_late(entry, report)
        before = self._grown.get(entry.order_key)
        if grown is None or (before is not None and before.there >= grown.there):
            return
        self._keep_all({**self._grown, entry.order_key: grown})
        log = logger.bind(actor=self._ctx.path, order_key=entry.order_key)
        log.error("{}", self.problem())
        self.on_new()

    def accepted(self) -> None:
        """A person knows of them, and has made the account's present state the right one."""
        if self.problem():
            self._keep_all({})
            self._lost = ""

    def _keep_all(self, grown: dict[OrderKey, GrownLate]) -> None:
        """Know it once it is written: what could not be is written when it is seen again."""
        kept = list(grown.values())
        self._keep({LATE_FILLS: msgspec.json.encode(kept).decode() if kept else ""})
        self._grown = grown

    def known(self) -> str:
        """Say it in few words, the last first; empty where all ended as the venue says."""
        if not self._grown:
            return ""
        last = list(self._grown.values())[-1]
        more = f" (and {len(self._grown) - 1} more)" if len(self._grown) > 1 else ""
        return (
            f"order {last.order_key} is {last.state} with {last.here.normalize():f} filled here,"
            f" and the venue says {last.there.normalize():f}{more}"
        )

    def problem(self) -> str:
        """Say what that means and what a person does about it; empty where there is nothing."""
        if not self._grown:
            return self._lost
        last = list(self._grown.values())[-1]
        done = "bought" if last.is_buy else "sold"
        return (
            f"{self.known()}: what was {done} after its end is in no position here, and no exit and"
            " no stop counts it; look at the order at the venue, trade"
            f' {last.symbol} by hand as you want it, then `watchkeeper account --accept "WHY"`'
        )
