"""Holds the paper venue's book against the ledger, also while both are being written."""

from collections.abc import Sequence

import msgspec

from decisions.audit import AtVenue, venue_problem
from exchanges.paper_reading import BookReader
from messages.ids import ClientOrderId
from ops.audit_check import Check
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader


class VenueAudit:
    """First `explain` all the venue has, then `compare` the ledger's orders with it.

    An order is in the ledger before it can be at the venue, so what the book holds is looked
    for in the ledger afterwards, and what the ledger says is held against the book afterwards.
    """

    def __init__(self, ledger: LedgerReader, book: BookReader) -> None:
        self._ledger, self._book = ledger, book
        self.once = Check("once", "no order is twice at the venue, each has a decision")
        self.venue = Check("venue", "the venue has the same orders, as far along")

    def explain(self) -> None:
        """Look for every order of the book in the ledger.

        Raises:
            DataError, LedgerUnavailable: one of the two cannot be read.
        """
        for name, count in self._book.doubled():
            self.once.differs(f"{name}: is at the venue {count} times")
        for page in self._book.walk():
            decided = [decided_at_ns for _, decided_at_ns in page]
            known = {entry.client_order_id for entry in self._ledger.decided_at(decided)}
            for name, _ in page:
                problem = None if name in known else "is at the venue without a decision"
                self.once.see(name, problem)

    def compare(self, entries: Sequence[LedgerEntry]) -> None:
        """Look for orders of the ledger in the book; those that seem to differ are read again."""
        booked = self._find([entry.client_order_id for entry in entries])
        for entry in entries:
            problem = venue_problem(entry, booked.get(entry.client_order_id))
            if problem is not None:
                problem = self._again(entry)
            self.venue.see(entry.order_key, problem)

    def _again(self, entry: LedgerEntry) -> str | None:
        newest = self._ledger.lookup([entry.order_key]).get(entry.order_key, entry)
        there = self._find([entry.client_order_id]).get(entry.client_order_id)
        return venue_problem(newest, there)

    def _find(self, names: Sequence[ClientOrderId]) -> dict[ClientOrderId, AtVenue]:
        found = self._book.find(names)
        return {name: AtVenue(**msgspec.structs.asdict(one)) for name, one in found.items()}
