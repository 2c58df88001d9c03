"""The record of a halt in the ledger, where it outlives this process.

One incarnation's, on the executor's thread. Nothing is written once a newer one has taken over.
"""

from collections.abc import Mapping

from actors.context import Context
from actors.gateway import Gateway
from actors.log import logger
from decisions import halting
from decisions.halting import HaltRecord, OrderedBy, Step
from messages import lineage
from messages.errors import LedgerLost, LedgerUnavailable
from messages.ids import TimestampNs
from messages.lineage import Copied
from persistence.ledger import Ledger


class KeptHalt:
    """See the module."""

    def __init__(self, ctx: Context, ledger: Ledger, gateway: Gateway) -> None:
        self._ctx, self._ledger, self._gateway = ctx, ledger, gateway
        self.is_there = False
        """Whether a record is on disk, as far as is known."""

    def begin(self, now_ns: TimestampNs) -> Step:
        """Give where a process begins with this ledger. Unreadable is halted, and so is a copy.

        Raises:
            LedgerLost: a server comes back: the start is tried again.
        """
        copied = None
        try:
            text = self._ledger.halt_reason()
            copied = self.copied()
        except LedgerLost:
            raise
        except LedgerUnavailable as error:
            step = halting.unreadable(str(error), now_ns)
        else:
            self.is_there = text is not None
            step = halting.recover(text, now_ns)
        if step[0].record is None and copied is not None:
            record = HaltRecord(
                reason=lineage.reason(copied), ordered_by=OrderedBy.RULE, at_ns=now_ns
            )
            step = halting.halt(halting.TRADING, record)
        return step

    def copied(self) -> Copied | None:
        """Give the mark of a ledger that is a copy, and that no person has accepted.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        return lineage.copied_in(self._ledger.note(lineage.COPIED))

    def keep(self, record: HaltRecord) -> None:
        """Write it down, if that can be.

        What is there already stays, also where it cannot be read: it is the cause.

        Raises:
            ActorUnavailable: a newer incarnation has taken over.
        """
        try:
            with self._gateway.holding(self._ctx.epoch):
                if self._ledger.halt_reason() is None:
                    self._ledger.set_halt(halting.text_of(record))
            why_not: object = self._ledger.taken_away()
        except LedgerUnavailable as error:
            why_not = error
        self.is_there = not why_not
        if why_not:
            log = logger.bind(actor=self._ctx.path)
            log.error("the halt could not be kept on disk: {}", why_not)

    def end(self, notes: Mapping[str, str]) -> None:
        """End it in the commit that writes the notes: there is no half of a resume.

        Raises:
            LedgerUnavailable: it could not be deleted; nothing changed.
            ActorUnavailable: a newer incarnation has taken over; nothing changed.
        """
        with self._gateway.holding(self._ctx.epoch):
            # A status.json that says that it is halted may outlive this process.
            self._ledger.clear_halt({**notes, lineage.RESUMED: str(self._ctx.utc_ns())})
        self.is_there = False
