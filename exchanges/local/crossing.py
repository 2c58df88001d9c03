"""Who trades with whom: an order with what waits, and the rest of the world with our orders."""

from collections.abc import Mapping
from decimal import Decimal

from exchanges.local.book import Book
from exchanges.local.clearing import Clearing, other
from exchanges.local.orders import Order, Placement
from messages.exact import NOTHING
from messages.values import Side, TimeInForce


class Crossing:
    """On the books of all markets, best price first, and at one price who came first."""

    def __init__(self, books: Mapping[str, Book], clearing: Clearing) -> None:
        self._books, self._clearing = books, clearing

    def would_take(self, placement: Placement) -> bool:
        """Whether an order would trade at once."""
        book = self._books[placement.symbol]
        return next(book.reach(placement.side, placement.price), None) is not None

    def match(self, order: Order, most: Decimal | None, ts_ns: int) -> None:
        """Let a new order trade with what waits, at most so much; FOK: all of it, or nothing."""
        limit = order.price or None
        book = self._books[order.symbol]
        if order.time_in_force is TimeInForce.FOK:
            there = sum((one.left for one in book.of_the_world(order.side, limit)), NOTHING)
            if min(there, _capped(there, most)) < order.quantity:
                return
        cap = _capped(order.quantity or None, most)
        for one in book.reach(order.side, limit):
            if not order.is_open:
                break
            if one.order_id is not None:
                self._clearing.prevent(self._clearing.orders.by_id[one.order_id], ts_ns)
                continue
            quantity = min(one.left, self._wanted(order, one.price, cap))
            if quantity <= 0:
                break
            self._clearing.trade(order, one.price, quantity, ts_ns, is_maker=False)
            one.left -= quantity
            if not one.left:
                book.remove(other(order.side), one)

    def cross(
        self, symbol: str, side: Side, quotes: Mapping[Decimal, Decimal], ts_ns: int
    ) -> dict[Decimal, Decimal]:
        """Let the world's offers trade with what they cross; give what is left of them."""
        left = {}
        for price, quantity in quotes.items():
            rest = self.sweep(symbol, side, price, quantity, ts_ns)
            if rest:
                left[price] = rest
        return left

    def sweep(
        self, symbol: str, taker: Side, limit: Decimal, quantity: Decimal, ts_ns: int
    ) -> Decimal:
        """Let the world take from the book; give what it did not get."""
        book = self._books[symbol]
        for one in book.reach(taker, limit):
            if quantity <= 0:
                break
            taken = min(one.left, quantity)
            quantity -= taken
            if one.order_id is not None:
                self._clearing.trade_resting(one, taken, ts_ns)
                continue
            self._clearing.publish(symbol, one.price, taken, taker, ts_ns)
            one.left -= taken
            if not one.left:
                book.remove(other(taker), one)
        return quantity

    def _wanted(self, order: Order, price: Decimal, cap: Decimal) -> Decimal:
        if order.quantity:
            return cap - order.filled
        return min(self._clearing.affordable(order, price), cap - order.filled)


def _capped(quantity: Decimal | None, most: Decimal | None) -> Decimal:
    if most is None:
        return quantity if quantity is not None else Decimal("Infinity")
    return most if quantity is None else min(most, quantity)
