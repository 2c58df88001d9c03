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
        kept, self._lost = doubled_in(ledger.note(DOUBLED))
        self._found: dict[OrderKey, Doubled] = {one.order_key: one for one in kept}
        if self._lost:
            logger.bind(actor=ctx.path).error("{}", self._lost)

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
        rest = {key: one for key, one in self._found.items() if key != entry.order_key}
        self._keep_all({**rest, entry.order_key: after})  # the newest is told of first
        log = logger.bind(actor=self._ctx.path, order_key=entry.order_key)
        log.critical("{}", self.problem())
        self.on_new()

    def accepted(self) -> None:
        """A person knows of them, and has made the account's present state the right one."""
        if not self.problem():
            return
        self._keep_all({
            key: msgspec.structs.replace(one, is_accepted=True)
            for key, one in self._found.items()
        })  # fmt: skip
        self._lost = ""

    def known(self) -> str:
        """Say it in few words; empty where each order is there once."""
        return said_of(self._found.values())

    def problem(self) -> str:
        """Say what that means and what a person does about it; empty where there is nothing."""
        untold = [one for one in self._found.values() if not one.is_accepted]
        if not untold:
            return self._lost
        last = untold[-1]
        done = "bought" if last.is_buy else "sold"
        return (
            f"{self.known()}: one request was sent, and what the second has {done} is in no"
            f" position here; cancel there what is open of it, trade {last.symbol} by hand as you"
            " want it,"
            ' then `watchkeeper account --accept "WHY"`'
        )

    def _keep_all(self, found: dict[OrderKey, Doubled]) -> None:
        """Know it once it is written: what could not be is written when it is seen again."""
        kept = list(found.values())
        self._keep({DOUBLED: msgspec.json.encode(kept).decode() if kept else ""})
        self._found = found


def doubled_in(text: str | None) -> tuple[list[Doubled], str]:
    """Read the note, or say that it cannot be read: trading goes on, and a person looks."""
    try:
        return (msgspec.json.decode(text, type=list[Doubled]) if text else []), ""
    except (msgspec.MsgspecError, UnicodeError):
        return [], (
            "which orders are at the venue twice cannot be read from the ledger: look there for two"
            ' of one client order id, then `watchkeeper account --accept "WHY"`'
        )
