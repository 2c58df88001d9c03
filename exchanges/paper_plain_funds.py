"""What the lean paper venue owes its one account: money that is owned, and money that is free."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from exchanges.paper_order import Change, Place, Progress, turn_of
from exchanges.protocol import NewOrder
from messages.exact import NOTHING
from messages.orders import OrderIntent

AnyOrder = NewOrder | OrderIntent


class PlainFunds:
    """What is owned and what is free, as `paper_funds.Funds` has it when nobody looks back.

    Then only what was posted at the present moment can be later than an order's turn. `turn` gives
    when an order arrives, and whose turn it is then.
    """

    def __init__(
        self, balances: dict[str, Decimal], turn: Callable[[AnyOrder], tuple[int, int]]
    ) -> None:
        self.totals, self.free = dict(balances), dict(balances)
        self._turn = turn
        self._now_ns = -1
        self._posted_now: list[tuple[Progress | AnyOrder, str, Decimal]] = []
        """By whom, with its cursor where it was posted; of what; how much it frees."""

    def give(self, currency: str, amount: Decimal) -> None:
        """Put money in."""
        self.totals[currency], self.free[currency] = amount, amount

    def book(self, order: Progress, changes: Sequence[Change]) -> None:
        """Book what an event did to an order."""
        for change in changes:
            self._book(order, change.currency, change.total, change.free)

    def bought(
        self, ts_ns: int, pair: tuple[str, str], order: AnyOrder, spent: Decimal, locked: Decimal
    ) -> None:
        """Book a buy that was locked, executed as a whole and released by one event."""
        (base, quote), totals, free = pair, self.totals, self.free
        quantity = order.quantity
        released = locked - spent
        totals[quote] -= spent
        free[quote] = free[quote] - locked + released
        totals[base] = totals.get(base, NOTHING) + quantity
        free[base] = free.get(base, NOTHING) + quantity
        self._clear_before(ts_ns)
        self._posted_now += (order, base, quantity), (order, quote, released)

    def sold(self, ts_ns: int, pair: tuple[str, str], order: AnyOrder, income: Decimal) -> None:
        """Book a sell of that kind."""
        (base, quote), totals, free = pair, self.totals, self.free
        quantity = order.quantity
        totals[base] -= quantity
        free[base] -= quantity
        totals[quote] = totals.get(quote, NOTHING) + income
        free[quote] = free.get(quote, NOTHING) + income
        self._clear_before(ts_ns)
        self._posted_now.append((order, quote, income))

    def _book(self, order: Progress, currency: str, total: Decimal, free: Decimal) -> None:
        self.totals[currency] = self.totals.get(currency, NOTHING) + total
        self.free[currency] = self.free.get(currency, NOTHING) + free
        self._clear_before(order.cursor.ts_ns)
        self._posted_now.append((order, currency, free))

    def _clear_before(self, ts_ns: int) -> None:
        if ts_ns != self._now_ns:
            self._now_ns = ts_ns
            self._posted_now.clear()

    def free_at(self, currency: str, ts_ns: int) -> Decimal:
        """Give what an order that is alone on its symbol may lock then; see `free_for`."""
        running = self.free.get(currency, NOTHING)
        if ts_ns != self._now_ns:
            return running
        later = [
            free for _, moved, free in self._posted_now if moved == currency and free >= NOTHING
        ]
        return running - sum(later, start=NOTHING)

    def free_for(self, order: Progress, currency: str, place: Place) -> Decimal:
        """Give what the order may lock at its turn: the least that is free from then on."""
        running = self.free.get(currency, NOTHING)
        if place.ts_ns != self._now_ns:
            return running
        later = [
            free
            for other, moved, free in self._posted_now
            if moved == currency and free >= NOTHING and not self._precedes(other, order, place)
        ]
        # What is later and frees money is not there yet; all that locks some is.
        return running - sum(later, start=NOTHING)

    def _precedes(self, other: Progress | AnyOrder, order: Progress, place: Place) -> bool:
        """Whether what is posted comes before an order's turn, at one moment of one market."""
        if isinstance(other, Progress):
            is_before = (other.cursor, *turn_of(other)) < (place, *turn_of(order))
            return is_before and other.order.symbol == order.order.symbol
        # It was alone when its event filled it: it was accepted before any that asks since.
        is_before = self._turn(other) <= (order.arrival_ns, order.turn)
        return is_before and other.symbol == order.order.symbol
