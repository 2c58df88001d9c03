"""Orders that are at the venue more than once, told to a person until he says that he knows.

One incarnation's, on the executor's thread. It is a note in the ledger, over restarts too, for
what the second one has bought or sold is in no position here as long.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors.context import Context
from actors.log import logger
from decisions.doubled import Doubled, KnownAtVenue, doubled, said_of, together
from messages.ids import OrderKey
from messages.orders import OrderReport
from persistence.ledger import Ledger

DOUBLED = "doubled_orders"
"""The note under which they lie in the ledger."""


class DoubledOrders:
    """`keep` writes a note durably."""

    def __init__(
        self, ctx: Context, ledger: Ledger, keep: Callable[[Mapping[str, str]], Any]
    ) -> None:
        self._ctx, self._keep = ctx, keep
        self.on_new: Callable[[], object] = lambda: None
        """Lets health say it."""
        text = ledger.note(DOUBLED)
        kept = msgspec.json.decode(text, type=list[Doubled]) if text else []
        self._found: dict[OrderKey, Doubled] = {one.order_key: one for one in kept}

    def saw(self, entry: KnownAtVenue, report: OrderReport) -> None:
        """Hold what the venue says of an order against which one it is here.

        Raises:
            LedgerError: it could not be written down.
        """
        if entry.venue_order_id == report.venue_order_id and not report.namesakes:
            return
        found = doubled(entry, report)
        if found is None:
            return
        before = self._found.get(entry.order_key)
        after = together(before, found)
        if after == before:
            return
        self._found.pop(entry.order_key, None)  # the newest is told of first
        self._found[entry.order_key] = after
        self._write()
        log = logger.bind(actor=self._ctx.path, order_key=entry.order_key)
        log.critical("{}", self.problem())
        self.on_new()

    def accepted(self) -> None:
        """A person knows of them, and has made the account's present state the right one."""
        if self._found:
            self._found = {}
            self._write()

    def known(self) -> str:
        """Say it in few words; empty where each order is there once."""
        return said_of(self._found.values())

    def problem(self) -> str:
        """Say what that means and what a person does about it; empty where there is nothing."""
        if not self._found:
            return ""
        last = list(self._found.values())[-1]
        done = "bought" if last.is_buy else "sold"
        return (
            f"{self.known()}: one request was sent, and what the second has {done} is in no"
            f" position here; cancel there what is open of it, trade {last.symbol} by hand as you"
            " want it,"
            ' then `watchkeeper account --accept "WHY"`'
        )

    def _write(self) -> None:
        kept = list(self._found.values())
        self._keep({DOUBLED: msgspec.json.encode(kept).decode() if kept else ""})
