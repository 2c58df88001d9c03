"""The paper venue's book without a file: for backtests and simulation, gone with the process."""

from collections import deque
from decimal import Decimal

from exchanges.paper_book import Effects
from exchanges.paper_funds import MEMORY, Posting
from exchanges.paper_order import Progress
from messages.ids import ClientOrderId
from messages.orders import Fill


class MemoryBook:
    """Does what `paper_book.Book` does, with dictionaries."""

    def __init__(self) -> None:
        self._orders: dict[int, Progress] = {}
        self._open: dict[int, Progress] = {}
        self._rows: dict[ClientOrderId, int] = {}
        self._fills: dict[int, list[Fill]] = {}
        self._postings: dict[str, deque[Posting]] = {}
        self._totals: dict[str, Decimal] = {}
        self._free: dict[str, Decimal] = {}

    def close(self) -> None:
        """Nothing is to be let go of."""

    def next_row(self) -> int:
        """Give the row that the next order gets."""
        return len(self._orders) + 1

    def find(self, client_order_id: ClientOrderId) -> Progress | None:
        """Give the order as it was last written."""
        row = self._rows.get(client_order_id)
        return None if row is None else self._orders[row]

    def open_orders(self) -> list[Progress]:
        """Give every order that later events can still move, by acceptance."""
        return [self._open[row] for row in sorted(self._open)]

    def fills(self, row: int) -> tuple[Fill, ...]:
        """Give all fills of one order, oldest first."""
        return tuple(self._fills.get(row, ()))

    def balances(self) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """Give what is owned and what of it is free, by currency."""
        return dict(self._totals), dict(self._free)

    def recent_postings(self, currency: str) -> list[Posting]:
        """Give the newest changes of one currency, by their moments."""
        return sorted(self._postings.get(currency, ()), key=lambda posting: posting.place.ts_ns)

    def write(self, effects: Effects, totals: dict[str, Decimal], free: dict[str, Decimal]) -> None:
        """Keep everything that one call did."""
        for row, progress in effects.orders.items():
            self._orders[row] = progress
            self._rows[progress.order.client_order_id] = row
            if progress.is_open:
                self._open[row] = progress
            else:
                self._open.pop(row, None)
        for row, fills in effects.fills.items():
            self._fills.setdefault(row, []).extend(fills)
        for posting in effects.postings:
            currency = posting.change.currency
            postings = self._postings.get(currency)
            if postings is None:
                postings = self._postings[currency] = deque(maxlen=MEMORY)
            postings.append(posting)
            self._totals[currency], self._free[currency] = totals[currency], free[currency]
