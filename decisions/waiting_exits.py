"""Exits of which nothing is there yet, until something of their entries has filled. Pure.

What waits is judged again once its strategy's orders on that symbol have moved.
"""

from collections.abc import Collection, Iterable

from decisions.order_like import OrderLike
from messages.ids import OrderKey, StrategySymbol
from messages.orders import OrderIntent


class WaitingExits:
    """One account's; see `decisions.exit_book`."""

    def __init__(self) -> None:
        self.exits: dict[OrderKey, OrderIntent] = {}
        self._judged: dict[OrderKey, OrderIntent] = {}
        """What was judged last, until it is sure that this was written."""
        self._moved: set[StrategySymbol] = set()
        self._inherited: set[OrderKey] = set()
        """Those that an earlier process left: to be refused."""

    def add(self, intent: OrderIntent) -> None:
        """Keep one."""
        self.exits[intent.order_key] = intent

    def inherit(self, intents: Iterable[OrderIntent]) -> None:
        """Take what an earlier process left without a row, to be judged at once, and refused."""
        for intent in intents:
            self.exits[intent.order_key] = intent
            self._inherited.add(intent.order_key)
            self._moved.add((intent.strategy_id, intent.symbol))

    def is_inherited(self, key: OrderKey) -> bool:
        """Whether its strategy knows nothing of it, and counts what it was to leave as held."""
        return key in self._inherited

    def judged(self, key: OrderKey) -> None:
        """Let go of one that is about to be written, if it waited."""
        waited = self.exits.pop(key, None)
        if waited is not None:
            self._judged[key] = waited

    def forget(self, key: OrderKey) -> None:
        """Let go of one that somebody else repeats."""
        self.exits.pop(key, None)

    def moved(self, order: OrderLike) -> None:
        """Follow a step of any order."""
        if self.exits:
            self._moved.add((order.strategy_id, order.symbol))

    def ready(self, *, all_of_them: bool) -> list[OrderIntent]:
        """Give those for which something has moved, to be judged again; once."""
        moved, self._moved, self._judged = self._moved, set(), {}
        return [
            one
            for one in self.exits.values()
            if all_of_them or (one.strategy_id, one.symbol) in moved
        ]

    @property
    def all(self) -> list[OrderIntent]:
        """Those that wait, and those that may have to again."""
        return [*self.exits.values(), *self._judged.values()]

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and nothing that did may have to again."""
        return not (self.exits or self._judged)

    # ------------------------------------------------------------ a new incarnation

    @property
    def named(self) -> list[OrderKey]:
        """The keys of which a ledger must be asked."""
        return [*self._judged, *self.exits]

    def recover(self, known: Collection[OrderKey]) -> None:
        """Wait with what no row tells of; what it waits for may have moved untold."""
        waited = self._judged | self.exits
        self._judged = {}
        self.exits = {key: one for key, one in waited.items() if key not in known}
        self._moved.update((one.strategy_id, one.symbol) for one in self.exits.values())
