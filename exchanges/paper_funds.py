"""What the paper account owns and what of it is free, now and at any recent moment.

An order may be submitted after the market has gone on, and other orders may have traded
meanwhile. Its funds are those of its own moment on the market's clock, so that the answer
does not depend on how late it came. What later locks have taken since is never given twice.
The one race left is for the last of one currency: between orders in different symbols, and
between orders of one moment of which the market has been shown further before all were there, it
is served in the order in which they were submitted.
"""

from bisect import insort
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from exchanges.paper_order import Change, Kind, Place, Progress, turn_of
from messages.exact import NOTHING
from messages.ids import Symbol

MEMORY = 8192
"""So many postings per currency are kept for looking back; older ones are in the sums."""


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One change of one currency, and where on the market's clock it happened."""

    place: Place
    symbol: Symbol
    arrival_ns: int
    row: int
    change: Change
    turn: int = 0

    def precedes(self, place: Place, order: Progress) -> bool:
        """Whether it comes before the order's turn, at the same moment of one market."""
        mine = (place, *turn_of(order))
        return self.symbol == order.order.symbol and (
            (self.place, self.arrival_ns, self.turn, self.row) < mine
        )


def deposit(currency: str, amount: Decimal) -> Posting:
    """Put money in before the market began."""
    change = Change(Kind.DEPOSIT, currency, amount, amount)
    return Posting(Place(0, 0), Symbol(""), 0, 0, change)


def _moment(posting: Posting) -> int:
    return posting.place.ts_ns


class Funds:
    """The sums per currency, with enough of their history to look back."""

    def __init__(self) -> None:
        self.totals: dict[str, Decimal] = {}
        self.free: dict[str, Decimal] = {}
        self._recent: dict[str, list[Posting]] = {}

    def restore(
        self, totals: dict[str, Decimal], free: dict[str, Decimal], recent: Iterable[Posting]
    ) -> None:
        """Take over sums, and the postings that are already in them."""
        self.totals, self.free = totals, free
        for posting in recent:
            self._remember(posting)

    def post(self, postings: Iterable[Posting]) -> None:
        """Book changes, in their order."""
        totals, free = self.totals, self.free
        for posting in postings:
            change = posting.change
            currency = change.currency
            totals[currency] = totals.get(currency, NOTHING) + change.total
            free[currency] = free.get(currency, NOTHING) + change.free
            self._remember(posting)

    def free_for(self, order: Progress, currency: str, place: Place) -> Decimal:
        """Give what the order may lock at its turn: the least that is free from then on."""
        recent = self._recent.get(currency)
        if not recent or recent[-1].place.ts_ns < place.ts_ns:
            return self.free.get(currency, NOTHING)
        since = self._since(currency, place.ts_ns)
        running = self.free.get(currency, NOTHING) - sum(p.change.free for p in since)
        now = [p for p in since if p.place.ts_ns == place.ts_ns]
        seen = [p for p in now if p.change.free < NOTHING or p.precedes(place, order)]
        running += sum(p.change.free for p in seen)
        least = running
        for posting in (p for p in since if p not in seen):
            running += posting.change.free
            least = min(least, running)
        return least

    def _since(self, currency: str, ts_ns: int) -> list[Posting]:
        since = []
        for posting in reversed(self._recent.get(currency, ())):
            if posting.place.ts_ns < ts_ns:
                break
            since.append(posting)
        since.reverse()
        return since

    def _remember(self, posting: Posting) -> None:
        recent = self._recent.get(posting.change.currency)
        if recent is None:
            recent = self._recent[posting.change.currency] = []
        if not recent or recent[-1].place.ts_ns <= posting.place.ts_ns:
            recent.append(posting)
        else:
            insort(recent, posting, key=_moment)
        if len(recent) > 2 * MEMORY:
            del recent[:MEMORY]
