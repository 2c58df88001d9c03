"""What exits have still to do, noted in the ledger for the process after this one.

One incarnation's, on the executor's thread. What is added goes with the commit that makes it so;
what is done is taken off with a later one. Nothing is written while no exit waits and nothing
follows one, as in most runs.
"""

from collections.abc import Mapping

import msgspec

from actors.context import Context
from actors.log import logger
from decisions.exit_book import ExitBook
from decisions.unfinished_exits import LEAVING, NOTHING_LEFT, Unfinished, note_of, unfinished_in
from persistence.entries import NO_NOTES
from persistence.ledger import Ledger


class NotedExits:
    """`book` says what there is to note."""

    def __init__(self, ctx: Context, ledger: Ledger, book: ExitBook) -> None:
        self._ctx, self._book = ctx, book
        self._noted: str | None = ledger.note(LEAVING) or ""
        """None where it is not known whether the last was written."""

    def of_an_earlier_process(self) -> Unfinished:
        """Give what was noted, before anything of this process is."""
        try:
            return unfinished_in(self._noted)
        except msgspec.MsgspecError as error:
            logger.bind(actor=self._ctx.path).error(
                "what exits of an earlier process had still to do cannot be read; look at what your"
                " strategies hold with `watchkeeper positions`: {}: {}",
                error,
                (self._noted or "")[:200],
            )
            return NOTHING_LEFT

    @property
    def differs(self) -> bool:
        """Whether there is something else to note than what is."""
        if self._noted == "" and self._book.is_idle:
            return False
        return note_of(self._book.unfinished()) != self._noted

    def taken(self) -> Mapping[str, str]:
        """Give what is to be written with the next commit; nothing where it is what is noted."""
        if not self.differs:
            return NO_NOTES
        self._noted = text = note_of(self._book.unfinished())
        return {LEAVING: text}

    def failed(self) -> None:
        """Give again, next time, what was taken last: it is not sure that it was written."""
        self._noted = None
