"""What strategies want ended, noted in the ledger: it outlives this process.

One incarnation's, on the executor's thread. Each change goes with the commit that comes next.
"""

from collections.abc import Callable, Mapping

import msgspec

from decisions.order_wishes import CANCELS, REPLACED, Wish, note_of, wishes_in
from messages.ids import OrderKey
from messages.orders import OrderIntent
from persistence.entries import NO_NOTES
from persistence.ledger import Ledger


class NotedWishes:
    """`differs` is told what a person must look at. See `order_desk.Noting`."""

    def __init__(self, ledger: Ledger, differs: Callable[[str], object]) -> None:
        self._ledger, self._differs = ledger, differs
        self.by_order: dict[OrderKey, Wish] = {}
        """What is to end, or has something that is to take its place, and has not yet. Who changes
        any of it says so by `changed`."""
        self._is_kept = True
        self._replaced: dict[str, str] = {}
        """Notes for the next commit."""
        self._taken: dict[str, str] = {}
        """The same, of the last."""

    def recover(self) -> None:
        """Take up earlier ones. Unreadable ones are for a person: their orders stay as they are."""
        text = self._ledger.note(CANCELS) or ""
        try:
            self.by_order.update((wish.order_key, wish) for wish in wishes_in(text))
        except msgspec.MsgspecError as error:
            self._differs(
                "which orders strategies wanted ended cannot be read; cancel what is not wanted"
                f" with `watchkeeper orders cancel`: {error}: {text:.200}"
            )

    def changed(self) -> None:
        """Have them written with the next commit."""
        self._is_kept = False

    def replaced(self, first: OrderKey, second: OrderKey) -> None:
        """Note with the next commit what took the place of an order."""
        self._replaced[REPLACED + first] = second
        self._is_kept = False

    def taken_notes(self) -> Mapping[str, str]:
        """See `Noting`."""
        if self._is_kept:
            return NO_NOTES
        self._is_kept = True
        self._taken, self._replaced = self._replaced, {}
        return {CANCELS: note_of(self.by_order.values()), **self._taken}

    def notes_failed(self) -> None:
        """See `Noting`."""
        self._is_kept = False
        self._replaced = {**self._taken, **self._replaced}


def waiting(ledger: Ledger) -> list[OrderIntent]:
    """Give the decisions that wait until another order has ended; none where that is unreadable."""
    try:
        wishes = wishes_in(ledger.note(CANCELS))
    except msgspec.MsgspecError:  # told of by `NotedWishes`
        return []
    return [wish.replacement for wish in wishes if wish.replacement is not None]
