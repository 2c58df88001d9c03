"""A strategy's position as it came about, where entries bring stops. Pure.

Its position counts each decision as filled. Of an entry that brings a stop it counts, once that has
ended, what it has brought; and what a stop sells it hears when the executor has done it. Both may
come after other decisions. So each is counted in its own place, and those after it are counted on
that once more: an exit has left what was there, and no more.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from decisions.managed_orders import decided_quantity
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey
from messages.orders import OrderIntent, OrderUpdate
from messages.stops import StopActed

_RECENT = 64
"""So many steps are kept though no entry is open: of a stop the executor tells at once."""
_MOST = 4096
"""An entry that is open after so many counts as filled."""
_OF_BEFORE = OrderKey("")


class Step(msgspec.Struct):
    """What a decision, or a stop, does to the position."""

    key: OrderKey
    change: Decimal
    """Base currency, signed."""
    leaves: Decimal = NOTHING
    """How much of that leaves what is there, and does nothing where nothing is; unsigned."""
    is_open: bool = False
    """Whether it is an entry with a stop that may bring less."""

    def after(self, position: Decimal) -> Decimal:
        """Give the position after it."""
        adds = EXACT.subtract(abs(self.change), self.leaves)
        against = position.copy_negate() if self.change > 0 else position
        left = min(self.leaves, max(against, NOTHING))
        return EXACT.add(position, EXACT.add(adds, left).copy_sign(self.change))


class Course(msgspec.Struct):
    """Of one symbol, from its oldest entry on that is open."""

    begins: Decimal = NOTHING
    """The position before the first of the steps."""
    steps: list[Step] = []
    """As they were decided. What a stop has left stands where the executor did it."""

    @property
    def position(self) -> Decimal:
        """What all of it comes to."""
        position = self.begins
        for step in self.steps:
            position = step.after(position)
        return position

    def decided(self, intent: OrderIntent) -> None:
        """Go on with a decision."""
        key, signed = intent.order_key, intent.side.signed
        adds = EXACT.subtract(intent.quantity, intent.leaves)
        if intent.protection is None or not adds:
            self.steps.append(Step(key, signed(intent.quantity), intent.leaves))
        else:
            if intent.leaves:
                self.steps.append(Step(key, signed(intent.leaves), intent.leaves))
            self.steps.append(Step(key, signed(adds), is_open=True))
        self._forget()

    def awaits(self, key: OrderKey) -> bool:
        """Whether an order is an entry with a stop that has not ended."""
        return any(step.is_open and step.key == key for step in self.steps)

    def ended(self, update: OrderUpdate) -> None:
        """Count what an entry with a stop has brought; what it was to leave first has been left."""
        for step in self.steps:
            if step.is_open and step.key == update.order_key:
                left = EXACT.subtract(decided_quantity(update), abs(step.change))
                brought = EXACT.subtract(update.filled_quantity, max(left, NOTHING))
                step.change = max(brought, NOTHING).copy_sign(step.change)

    def closed(self, key: OrderKey) -> None:
        """Count an entry from now on as it is counted."""
        for step in self.steps:
            if step.key == key:
                step.is_open = False
        self._forget()

    def stop_acted(self, acted: StopActed, after: OrderKey | None) -> None:
        """Count what a stop has left, in its place: after all, where that is not known."""
        step = Step(acted.order_key, acted.change, abs(acted.change))
        places = [at for at, one in enumerate(self.steps, 1) if one.key == after]
        self.steps.insert(places[-1] if places else len(self.steps), step)
        self._forget()

    def _forget(self) -> None:
        """Keep what may still come out otherwise, and what a stop may have come before."""
        while len(self.steps) > _MOST or (len(self.steps) > _RECENT and not self.steps[0].is_open):
            self.begins = self.steps.pop(0).after(self.begins)


def course_of(held: Decimal, entries: Iterable[OrderUpdate]) -> Course:
    """Begin with what a ledger holds, open orders as if they filled; `entries` are open ones.

    What is not there, should all of them fill, exits leave that are open: they are of these.
    """
    steps = [
        Step(order.order_key, order.side.signed(decided_quantity(order)), is_open=True)
        for order in entries
    ]
    if not steps:
        return Course(held)
    entering = sum((step.change for step in steps), start=NOTHING)
    begins = EXACT.subtract(held, entering)
    if begins * entering >= 0:
        return Course(begins, steps)
    return Course(NOTHING, [*steps, Step(_OF_BEFORE, begins, abs(begins))])
