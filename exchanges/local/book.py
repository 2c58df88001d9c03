"""A price-time book: levels by price, and in each level who came first trades first."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Container, Iterator, Mapping
from decimal import Decimal

import msgspec

from messages.values import Side


class Resting(msgspec.Struct, eq=False):
    """Something that waits in the book; `order_id` is None for the rest of the world."""

    price: Decimal
    left: Decimal
    order_id: int | None = None


class Book:
    """Both sides of one market."""

    def __init__(self) -> None:
        self._levels: dict[Side, dict[Decimal, deque[Resting]]] = {Side.BUY: {}, Side.SELL: {}}
        self._prices: dict[Side, list[Decimal]] = {Side.BUY: [], Side.SELL: []}

    def best(self, side: Side) -> Decimal | None:
        """The highest bid or the lowest ask."""
        prices = self._prices[side]
        if not prices:
            return None
        return prices[-1] if side is Side.BUY else prices[0]

    def levels(self, side: Side, limit: int | None = None) -> list[tuple[Decimal, Decimal]]:
        """Give price and total quantity of each level, best first."""
        levels = self._levels[side]
        return [
            (price, sum((one.left for one in levels[price]), Decimal(0)))
            for price in self._best_first(side)[:limit]
        ]

    def add(self, side: Side, resting: Resting) -> None:
        """Put it at the end of its level's queue."""
        level = self._levels[side].get(resting.price)
        if level is None:
            level = self._levels[side][resting.price] = deque()
            insort(self._prices[side], resting.price)
        level.append(resting)

    def remove(self, side: Side, resting: Resting) -> None:
        """Take it out, whether or not something of it is left."""
        level = self._levels[side][resting.price]
        level.remove(resting)
        if not level:
            del self._levels[side][resting.price]
            prices = self._prices[side]
            del prices[bisect_left(prices, resting.price)]

    def reach(self, taker: Side, limit: Decimal | None) -> Iterator[Resting]:
        """Give what a taker meets, best price first; whoever is given may be removed meanwhile."""
        side = Side.SELL if taker is Side.BUY else Side.BUY
        for price in self._best_first(side):
            if limit is not None and (price - limit) * taker.sign > 0:
                return
            yield from tuple(self._levels[side].get(price, ()))

    def of_the_world(self, taker: Side, limit: Decimal | None) -> Iterator[Resting]:
        """Give what a taker can trade with: an account's own orders go before they trade."""
        return (one for one in self.reach(taker, limit) if one.order_id is None)

    def quote(self, side: Side, quotes: Mapping[Decimal, Decimal]) -> None:
        """Let the rest of the world offer exactly this; a price that stays keeps its place."""
        self.keep(side, quotes)
        missing = dict(quotes)
        for one in self._quoted(side):
            one.left = missing.pop(one.price)
        for price, quantity in missing.items():
            self.add(side, Resting(price, quantity))

    def keep(self, side: Side, prices: Container[Decimal]) -> None:
        """Let the rest of the world take back what it offers at any other price."""
        for one in self._quoted(side):
            if one.price not in prices:
                self.remove(side, one)

    def _quoted(self, side: Side) -> list[Resting]:
        levels = self._levels[side].values()
        return [one for level in levels for one in level if one.order_id is None]

    def _best_first(self, side: Side) -> list[Decimal]:
        return self._prices[side][::-1] if side is Side.BUY else self._prices[side][:]
