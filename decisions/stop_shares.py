"""Of whose coins an open exit of a strategy's own is, where its stops protect some. Pure.

A strategy leaves what no stop protects, and then what it entered first: of what there is when that
exit is claimed. Until it has ended no stop leaves that, though something else is there by then, and
none goes on with it once it has filled.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol


class _Share(msgspec.Struct):
    """What of one exit has not filled yet."""

    place: StrategySymbol
    unprotected: Decimal
    of_stops: dict[OrderKey, Decimal]
    """By the keys of their entries, in the order in which it leaves them."""


class StopShares:
    """One account's."""

    def __init__(self) -> None:
        self._open: dict[OrderKey, _Share] = {}

    def claimed(
        self,
        key: OrderKey,
        place: StrategySymbol,
        quantity: Decimal,
        unprotected: Decimal,
        protected: Iterable[tuple[OrderKey, Decimal]],
    ) -> None:
        """Share out an exit; `protected` is by entry, as they are left, less what is being left."""
        others = (share.unprotected for share in self._open.values() if share.place == place)
        free = max(EXACT.subtract(unprotected, sum(others, start=NOTHING)), NOTHING)
        of_none = min(quantity, free)
        rest = EXACT.subtract(quantity, of_none)
        of_stops: dict[OrderKey, Decimal] = {}
        for entry, there in protected:
            taken = min(max(there, NOTHING), rest)
            if taken:
                of_stops[entry] = EXACT.add(of_stops.get(entry, NOTHING), taken)
            rest = EXACT.subtract(rest, taken)
        self._open[key] = _Share(place, of_none, of_stops)

    def of(self, entry: OrderKey) -> Decimal:
        """Give how much of what a stop protects is being left by its strategy."""
        shares = (share.of_stops.get(entry, NOTHING) for share in self._open.values())
        return sum(shares, start=NOTHING)

    def filled(self, key: OrderKey, more: Decimal) -> Iterable[tuple[OrderKey, Decimal]]:
        """Give of which stops that was, what an exit has left."""
        share = self._open.get(key)
        if share is None:
            return
        of_none = min(more, share.unprotected)
        share.unprotected = EXACT.subtract(share.unprotected, of_none)
        more = EXACT.subtract(more, of_none)
        for entry, there in list(share.of_stops.items()):
            taken = min(more, there)
            share.of_stops[entry] = EXACT.subtract(there, taken)
            more = EXACT.subtract(more, taken)
            if taken:
                yield entry, taken

    def ended(self, key: OrderKey) -> None:
        """Give back what an exit has not left."""
        self._open.pop(key, None)
