"""What strategies count as left by the exits of their stops: each once, and all of it. Pure.

A strategy is told of all that an exit is to leave as soon as it is claimed. What that one does not
leave, a further one does, and is not told of again.
"""

from decimal import Decimal

from decisions.stop_cover import StopCover
from decisions.stop_exits import KnownOrder, Orders, Told, leaves
from decisions.stop_rows import StopRows, has_acted
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol
from messages.orders import OrderIntent
from messages.stops import Stop


class StopTold:
    """One account's; `rows` are its stops."""

    def __init__(self, rows: StopRows, cover: StopCover) -> None:
        self._rows, self._cover = rows, cover
        self._left_over: dict[OrderKey, Decimal] = {}
        """What a position counts as left by exits that did not leave it, by entry. Below nothing
        where it counts less: of an exit that is open since before its process, what was sent."""

    def begin_with(self, stop: Stop, known: Orders, told: Told) -> None:
        """Begin with what its exits have left, of what was told."""
        for one in stop.exits:
            if one in told and one in known:
                self.not_left(stop.entry_key, EXACT.subtract(told[one], leaves(known[one])))

    def not_left(self, entry: OrderKey, quantity: Decimal) -> None:
        """Count what an exit was to leave, and did not."""
        if quantity:
            self._left_over[entry] = EXACT.add(self._left_over.get(entry, NOTHING), quantity)

    def forget(self, key: OrderKey) -> None:
        """Let go of a stop that is done."""
        self._left_over.pop(key, None)

    def untold(self, intent: OrderIntent | KnownOrder, decided: Decimal | None = None) -> Decimal:
        """Give how much of a position an exit is that nobody was told of before, unsigned.

        What an earlier exit of the stop was to leave and did not was told with that one. Of what
        fees have left less of, all counts that was `decided`: the rest is nobody's position.
        """
        entry, quantity = self._rows.entry_of.get(intent.order_key), decided or intent.quantity
        left_over = NOTHING if entry is None else self._left_over.get(entry, NOTHING)
        return EXACT.subtract(quantity, max(min(left_over, quantity), NOTHING))

    def take_position_change(
        self, intent: OrderIntent | KnownOrder, decided: Decimal | None = None
    ) -> Decimal:
        """Give, once, what a claimed exit does to its strategy's position, signed: see `untold`."""
        entry, untold = self._rows.entry_of.get(intent.order_key), self.untold(intent, decided)
        if entry is not None and entry in self._left_over:
            told = EXACT.subtract(decided or intent.quantity, untold)
            self._left_over[entry] = EXACT.subtract(self._left_over[entry], told)
        return EXACT.multiply(untold, Decimal(intent.side.sign))

    def spoken_for(self, intent: OrderIntent) -> Decimal:
        """Give what stops are yet to leave that their strategy counts as left, and no exit of its.

        That is what has acted and stands in no order now; nothing of that for an exit of a stop.
        """
        if intent.order_key in self._rows.entry_of:
            return NOTHING
        return self.spoken_for_at((intent.strategy_id, intent.symbol))

    def spoken_for_at(self, place: StrategySymbol) -> Decimal:
        """Give that of all stops of a position."""
        mine = filter(has_acted, self._rows.at(place))
        return sum(map(self.spoken_for_of, mine), start=NOTHING)

    def spoken_for_of(self, stop: Stop) -> Decimal:
        """Give that of one stop."""
        told = self._left_over.get(stop.entry_key, NOTHING)
        for part in self._cover.parts.among(stop.exits):
            told = EXACT.add(
                told, EXACT.subtract(part.decided, EXACT.add(part.filled, part.leaving))
            )
        return max(min(told, self._cover.left(stop)), NOTHING)
