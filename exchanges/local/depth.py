"""Changes of a book's levels, numbered, as a diff stream tells them."""

from decimal import Decimal

import msgspec

from exchanges.local.book import Book
from messages.values import Side

Levels = dict[Decimal, Decimal]


class Diff(msgspec.Struct, frozen=True):
    """Changes `first` to `last`; a quantity of 0 means that the level is gone."""

    first: int
    last: int
    bids: Levels
    asks: Levels


class Depth:
    """What has been told of one book so far."""

    def __init__(self) -> None:
        self.update_id = 1_000_000
        self._told = self.update_id
        self._known: dict[Side, Levels] = {Side.BUY: {}, Side.SELL: {}}
        self._changed: dict[Side, Levels] = {Side.BUY: {}, Side.SELL: {}}

    def look(self, book: Book) -> int:
        """Number what has changed; give the number of the newest change."""
        for side, known in self._known.items():
            now = dict(book.levels(side))
            for price in known.keys() | now.keys():
                quantity = now.get(price, Decimal(0))
                if known.get(price, Decimal(0)) != quantity:
                    self._changed[side][price] = quantity
                    self.update_id += 1
            self._known[side] = now
        return self.update_id

    def take(self, book: Book) -> Diff | None:
        """Give all changes since the last call, if there are any."""
        self.look(book)
        if self.update_id == self._told:
            return None
        changed, self._changed = self._changed, {Side.BUY: {}, Side.SELL: {}}
        diff = Diff(self._told + 1, self.update_id, changed[Side.BUY], changed[Side.SELL])
        self._told = self.update_id
        return diff

    def skip(self) -> None:
        """Leave a gap in the numbers, as if an event had been lost."""
        self.update_id += 1
        self._told = self.update_id
