"""How much each exit may leave of what was bought before it was decided. Pure.

Coins are alike, and an exit sells those that are there, also where an earlier one waits for them.
So it is counted by moments: the exits that were decided up to one of them sell no more than the
entries up to it have brought. What an earlier exit lacks because a later one was there first, it
takes from what was bought before that one, and never from what was bought after both. An exit of a
stop counts as decided when it is claimed, with all that its strategy counts as left from then on.

Kept of a place only while an exit there is not done: whatever is there is an exit's that waits for
nothing.
"""

from collections.abc import Collection, Iterator
from decimal import Decimal

import msgspec

from decisions.order_like import NamedOrder, OrderLike
from decisions.risk_exit import Before
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol
from messages.order_states import FINAL_STATES
from messages.values import OrderState, Side

Leaving = tuple[StrategySymbol, Side]
"""Where, and which way: exits that may leave the same."""


class _Moment(msgspec.Struct):
    """When an exit was decided."""

    leaving: Leaving
    free: Decimal
    """What was bought before it and is in no exit of up to it; below 0 where one counts on more."""
    entering: dict[OrderKey, Decimal]
    """The entries that were open, with what of each has not filled yet."""

    def moved(self, order: OrderLike) -> None:
        """Count what has filled since it was looked at last."""
        unfilled = EXACT.subtract(order.quantity, order.filled_quantity)
        more = EXACT.subtract(self.entering[order.order_key], unfilled)
        self.free = EXACT.add(self.free, max(more, NOTHING))
        self.entering[order.order_key] = unfilled
        if order.state in FINAL_STATES:
            del self.entering[order.order_key]


class _Taken(msgspec.Struct, frozen=True):
    """What an order of an exit takes."""

    of: OrderKey
    quantity: Decimal


class BoughtBefore:
    """One account's; see `decisions.exit_book`. An exit is named by its decision."""

    def __init__(self) -> None:
        self._moments: dict[OrderKey, _Moment] = {}
        """Oldest first."""
        self._taken: dict[OrderKey, _Taken] = {}

    def decided(self, exit_: NamedOrder, before: Before) -> None:
        """Take in an exit as it was when it was decided. What is known already stays as it is."""
        moment = _Moment(leaving_of(exit_), before.free, dict(before.entering))
        self._moments.setdefault(exit_.order_key, moment)

    def counts(self, exit_: NamedOrder) -> bool:
        """Whether an earlier exit is not done, so that it matters what this one takes."""
        return any(one.leaving == leaving_of(exit_) for one in self._moments.values())

    def takes(self, key: OrderKey, of: OrderKey, quantity: Decimal) -> None:
        """Count an order that is about to be claimed."""
        if of in self._moments:
            self._taken[key] = _Taken(of, quantity)
            self._change(of, quantity.copy_negate())

    def ended(self, order: OrderLike) -> None:
        """Give back what an order that has ended did not leave."""
        if order.state is OrderState.FILLED:
            self._taken.pop(order.order_key, None)
        else:
            self.gives_back(order.order_key, order.filled_quantity)

    def gives_back(self, key: OrderKey, filled: Decimal = NOTHING) -> None:
        """Give back what an order has not filled, and never will."""
        taken = self._taken.pop(key, None)
        if taken is not None:
            self._change(taken.of, EXACT.subtract(taken.quantity, filled))

    def _change(self, of: OrderKey, change: Decimal) -> None:
        for moment in self._since(of):
            moment.free = EXACT.add(moment.free, change)

    def _since(self, of: OrderKey) -> Iterator[_Moment]:
        """Give the moment of an exit, and of those after it that leave the same."""
        first = self._moments.get(of)
        is_since = False
        for key, moment in self._moments.items():
            is_since = is_since or key == of
            if first is not None and is_since and moment.leaving == first.leaving:
                yield moment

    def moved(self, order: OrderLike) -> bool:
        """Follow a step of any order; say whether it is an entry of an exit. Safe to repeat."""
        those = [one for one in self._moments.values() if order.order_key in one.entering]
        for moment in those:
            moment.moved(order)
        return bool(those)

    def there(self, of: OrderKey) -> Decimal | None:
        """Give what an exit may leave now; None of one that waited for nothing."""
        least = min((one.free for one in self._since(of)), default=None)
        return None if least is None else max(least, NOTHING)

    def may_come(self, of: OrderKey) -> Decimal | None:
        """Give what an exit may leave if all its entries fill; None of one that waited for nothing.

        Or those of a later exit that was there first.
        """
        most = min((sum(one.entering.values(), one.free) for one in self._since(of)), default=None)
        return None if most is None else max(most, NOTHING)

    @property
    def named(self) -> list[OrderKey]:
        """The keys of which a ledger must be asked: of entries that may fill, and of exits."""
        entries = [key for moment in self._moments.values() for key in moment.entering]
        return [*entries, *self._taken]

    def recover(self, known: Collection[OrderKey]) -> None:
        """Give back what was to be taken by orders of which no row tells."""
        for key in [key for key in self._taken if key not in known]:
            self.gives_back(key)

    def keep_only(self, not_done: Collection[Leaving]) -> None:
        """Forget where no exit is to come any more."""
        kept = {key: one for key, one in self._moments.items() if one.leaving in not_done}
        if len(kept) < len(self._moments):
            self._moments = kept
            self._taken = {key: one for key, one in self._taken.items() if one.of in kept}

    @property
    def is_idle(self) -> bool:
        """Whether nothing is kept."""
        return not self._moments


def leaving_of(exit_: NamedOrder) -> Leaving:
    """Give where it leaves, and which way."""
    return (exit_.strategy_id, exit_.symbol), exit_.side
