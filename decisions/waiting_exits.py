"""Exits of which nothing is there yet, until something of their entries has filled. Pure.

What waits is judged again once its strategy's orders on that symbol have moved. Until an entry that
was open when it was decided has filled more, what is held was bought after it, and is not its own.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from decisions.order_like import OrderLike
from decisions.risk_exit import NOTHING_HELD
from decisions.risk_limits import Refusal
from decisions.unfinished_exits import process_ended
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol
from messages.orders import OrderIntent

_NOT_FILLED = "its entry has not filled, and what is held was bought after this was decided"


class WaitingExits:
    """One account's; see `decisions.exit_book`."""

    def __init__(self) -> None:
        self.exits: dict[OrderKey, OrderIntent] = {}
        self._judged: dict[OrderKey, OrderIntent] = {}
        """What was judged last, until it is sure that this was written."""
        self._hopes: dict[OrderKey, Mapping[OrderKey, Decimal]] = {}
        """What had not filled of each entry then; until one of them has filled more."""
        self._moved: set[StrategySymbol] = set()
        self._inherited: set[OrderKey] = set()
        """Those that an earlier process left: to be refused."""

    def add(self, intent: OrderIntent, entering: Mapping[OrderKey, Decimal] | None) -> None:
        """Keep one, with the entries that are open now; None of what follows an exit."""
        if intent.order_key not in self.exits and entering is not None:
            self._hopes[intent.order_key] = entering
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

    def why_not(self, intent: OrderIntent) -> Refusal | None:
        """Say why it is not sent, or not yet, though something is held."""
        if intent.order_key in self._inherited:
            return process_ended()
        if intent.order_key not in self._hopes:
            return None
        return Refusal(code=NOTHING_HELD, text=_NOT_FILLED)

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
            self._hopes = {key: of for key, of in self._hopes.items() if not _has_grown(order, of)}

    def ready(self, *, all_of_them: bool) -> list[OrderIntent]:
        """Give those for which something has moved, to be judged again; once."""
        moved, self._moved, self._judged = self._moved, set(), {}
        self._hopes = {key: of for key, of in self._hopes.items() if key in self.exits}
        return [
            one
            for one in self.exits.values()
            if all_of_them or (one.strategy_id, one.symbol) in moved
        ]

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and nothing that did may have to again."""
        return not (self.exits or self._judged)

    # ------------------------------------------------------------ a new incarnation

    @property
    def named(self) -> list[OrderKey]:
        """The keys of which a ledger must be asked: theirs, and their entries'."""
        entries = [key for entering in self._hopes.values() for key in entering]
        return [*self._judged, *self.exits, *entries]

    def recover(self, known: Collection[OrderKey]) -> None:
        """Wait with what no row tells of; what it waits for may have moved untold."""
        waited = self._judged | self.exits
        self._judged = {}
        self.exits = {key: one for key, one in waited.items() if key not in known}
        self._moved.update((one.strategy_id, one.symbol) for one in self.exits.values())


def _has_grown(order: OrderLike, before: Mapping[OrderKey, Decimal]) -> bool:
    """Whether it is one of these and has filled more than then."""
    unfilled = EXACT.subtract(order.quantity, order.filled_quantity)
    return unfilled < before.get(order.order_key, NOTHING)
