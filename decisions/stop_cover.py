"""How much each stop of an account protects, and who is leaving that. Pure.

What a stop protects is what is filled of its entry, less what it has sold already, less what the
strategy has left by itself. Of a position that is smaller than all that its stops protect, the
oldest have lost theirs first: what a strategy leaves is what it entered first, and before that
what no stop protects. What a stop has acted on comes last: its strategy counts that as left
already, and leaves something else. So all stops of a position together never sell more than there
is.

An exit takes no more than is filled and in no open order against it: two exits never stand for
the same coins, whether the first is the strategy's, another stop's or one whose outcome is
unknown.
"""

from decimal import Decimal

import msgspec

from decisions.open_parts import OpenParts
from decisions.risk_exit import done_by
from decisions.stop_exits import Orders
from decisions.stop_rows import StopRows, has_acted, place_of
from decisions.stop_shares import StopShares
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol
from messages.stops import Stop
from messages.values import Side


class StopCover:
    """One account's; `rows` are its stops."""

    def __init__(self, rows: StopRows) -> None:
        self.rows = rows
        self.parts, self.shares = OpenParts(), StopShares()
        self.filled: dict[OrderKey, Decimal] = {}
        """Of entries, by their keys."""
        self._sold: dict[OrderKey, Decimal] = {}

    def begin_with(self, stop: Stop, known: Orders) -> None:
        """Begin with what is filled of its entry, and what its exits have sold."""
        key = stop.entry_key
        self.filled[key] = known[key].filled_quantity if key in known else NOTHING
        for one in stop.exits:
            if one in known:
                self.sold(key, done_by(known[one]))

    def sold(self, entry: OrderKey, more: Decimal) -> None:
        """Count what a stop's own exit has left."""
        self._sold[entry] = EXACT.add(self._sold.get(entry, NOTHING), more)

    def release(self, entry: OrderKey, quantity: Decimal) -> Decimal:
        """Take from a stop what its strategy has left, at most what there is; give that."""
        stop = self.rows.stops.get(entry)
        taken = NOTHING if stop is None else min(quantity, self.protected(stop))
        if stop is not None and taken > NOTHING:
            released = EXACT.add(stop.released, taken)
            self.rows.put(msgspec.structs.replace(stop, released=released))
        return taken

    def shrink(self, place: StrategySymbol) -> list[OrderKey]:
        """Take from stops what the position does not hold any more; give the stops there are."""
        looked_at = []
        for side in (Side.BUY, Side.SELL):
            mine = [stop for stop in self.rows.at(place) if stop.side is side]
            if not mine:
                continue
            there = max(self.parts.held(place, side), NOTHING)
            total = sum(map(self.protected, mine), start=NOTHING)
            excess = EXACT.subtract(total, there)
            for stop in sorted(mine, key=has_acted):
                taken = self.release(stop.entry_key, max(excess, NOTHING))
                excess = EXACT.subtract(excess, taken)
                looked_at.append(stop.entry_key)
        return looked_at

    def is_over(self, stop: Stop) -> bool:
        """Whether it protects nothing, and never will again."""
        may_fill = stop.entry_key in self.parts or any(self.parts.among(stop.exits))
        return not (may_fill or self.protected(stop))

    def forget(self, key: OrderKey) -> None:
        """Let go of one that is done."""
        self.filled.pop(key, None)
        self._sold.pop(key, None)

    # ------------------------------------------------------------ what is there

    def protected(self, stop: Stop) -> Decimal:
        """Give what is filled of its entry and not left yet; base currency, unsigned."""
        key = stop.entry_key
        gone = EXACT.add(self._sold.get(key, NOTHING), stop.released)
        return max(EXACT.subtract(self.filled.get(key, NOTHING), gone), NOTHING)

    def protects(self, place: StrategySymbol) -> Decimal:
        """Give how much of a strategy's position its stops protect; base currency, unsigned."""
        return sum(map(self.protected, self.rows.at(place)), start=NOTHING)

    def due(self, stop: Stop) -> Decimal:
        """Give the quantity that an exit of this stop may trade now.

        All that was decided of an exit stands for it until it ends: a further part follows then.
        """
        under_way = (
            EXACT.subtract(part.decided, part.filled) for part in self.parts.among(stop.exits)
        )
        left = self._less_being_left(stop, sum(under_way, start=NOTHING))
        return min(left, self.parts.free(place_of(stop), stop.side))

    def left(self, stop: Stop) -> Decimal:
        """Give what it protects and no order is leaving, its own or its strategy's."""
        own = (part.leaving for part in self.parts.among(stop.exits))
        return self._less_being_left(stop, sum(own, start=NOTHING))

    def _less_being_left(self, stop: Stop, by_itself: Decimal) -> Decimal:
        being_left = EXACT.add(by_itself, self.shares.of(stop.entry_key))
        return EXACT.subtract(self.protected(stop), being_left)

    def is_held_up(self, stop: Stop) -> bool:
        """Whether something is to be left, and all of it stands in orders of the strategy's own."""
        if any(self.parts.among(stop.exits)) or self.due(stop) > NOTHING:
            return False
        return self.protected(stop) > NOTHING
