"""What a strategy's driver must not forget when its actor is restarted."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from decimal import Decimal
from functools import reduce

import msgspec

from decisions.believed import Course, course_of
from decisions.managed_orders import ManagedOrders
from decisions.strategy_wide import WideMemory
from decisions.wishes import Decided
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, Symbol
from messages.market import MarketEvent
from messages.orders import Intent, OrderIntent, OrderUpdate

MOST_TRIES = 2
"""So often an event is shown, each time to another incarnation."""
_SPARE_EVENTS = 8
_COPIES = 100


class StrategyMemory(msgspec.Struct, kw_only=True):
    """What survives a restart of a strategy's actor."""

    recent: deque[MarketEvent]
    """The last events of its symbol that it survived, as many as warm-up needs and a few more."""
    next_index: int = 0
    """The place in the feed of the next event to decide on."""
    position: Decimal = Decimal(0)
    """What all decisions so far would hold if they filled: base currency, signed."""
    decided: Decided = {}
    decided_until_ns: int = -1
    """Events up to here, of whatever symbol, are history: nothing is decided on them."""
    decided_until: dict[Symbol, int] = {}
    """By symbol, the moment that an earlier process has decided last: nothing before the last of
    them is decided again, and at that very one only what is decided on the other symbols."""
    trying: int = -1
    """The place of the event that is, or was last, shown to be decided on."""
    tries: int = 0
    passed_over: int = 0
    """Events that brought two incarnations down and were not shown to a third."""
    at_door: bool = False
    """A fast door is passing closes; still so after it failed or hung, and then it stays shut."""
    warming_on: MarketEvent | None = None
    """The event that a warm-up is showing; still here after a hang in it."""
    told_fills: dict[tuple[OrderKey, str], None] = {}
    """The last executions that `on_fill` was told of, the oldest first: by order, for two of its
    own orders that meet have one trade id."""
    told_stops: dict[OrderKey, None] = {}
    """The exits of stops that its position counts, the oldest first."""
    small_targets: dict[Symbol, int] = {}
    """How many targets asked, of nothing held, for less than the venue takes; of this process."""
    wide: WideMemory | None = None
    """Of a strategy that wants more than plain events of one symbol."""
    managed: ManagedOrders | None = None
    """Of a strategy that ends and replaces its orders."""
    courses: dict[Symbol, Course] = {}
    """How a position came about, once an entry has brought a stop."""
    from_ledger: bool = False
    """Whether it began with what a ledger holds: what was before is not shown to it again."""

    @property
    def warmed(self) -> tuple[int, int]:
        """How many events a fresh strategy would be shown, and how many it wants; any thread."""
        room = self.recent.maxlen or 0
        return len(self.recent), max(room - _SPARE_EVENTS, 0)

    def decided_to(self, symbol: Symbol) -> int:
        """Give the moment up to which nothing is decided on a symbol; UTC ns, -1 for none.

        It is nearly the same for all of them: what came before was shown to the earlier process,
        and would be decided here by what is held now.
        """
        last_ns = max(self.decided_until.values(), default=-1)
        was_its_turn = self.decided_until.get(symbol) == last_ns
        return max(self.decided_until_ns, last_ns if was_its_turn else last_ns - 1)

    def is_decided(self, symbol: Symbol, at_ns: int) -> bool:
        """Whether a moment is not to be decided on."""
        return at_ns <= self.decided_to(symbol)

    def decided_at(self, at_ns: int) -> Collection[Symbol]:
        """Give the symbols on which an earlier process has decided last at this very moment."""
        return [symbol for symbol, last_ns in self.decided_until.items() if last_ns == at_ns]

    def inherited(self) -> "StrategyMemory":
        """Give a copy for the next incarnation; an abandoned one may still change the old.

        Where it did so meanwhile, a copy is taken anew: of one moment, or events would be missing.
        """
        for _ in range(_COPIES):
            index = self.next_index
            with suppress(RuntimeError):  # something changed its size
                found = self._copied()
                if self.next_index == index:
                    return found
        return self._copied()

    def _copied(self) -> "StrategyMemory":
        wide = None if self.wide is None else self.wide.inherited()
        return msgspec.structs.replace(
            self,
            recent=self.recent.copy(),
            decided=self.decided.copy(),
            told_fills=self.told_fills.copy(),
            told_stops=self.told_stops.copy(),
            courses=deepcopy(self.courses),
            wide=wide,
            managed=None if self.managed is None else self.managed.copy(),
        )

    def begin_with(
        self,
        symbols: Sequence[Symbol],
        held: Mapping[Symbol, Decimal],
        decided_until: Mapping[Symbol, int],
        open_orders: Iterable[OrderUpdate] = (),
        entries: Collection[OrderKey] = (),
    ) -> None:
        """Go on where an earlier process ended, on a market that cannot be shown again.

        `held` is by symbol what that one's decisions came to, `decided_until` when it decided last.
        `open_orders` are those that it has left open; `entries` are the keys of those that bring a
        stop.
        """
        first, *others = symbols
        self.position = held.get(first, Decimal(0))
        self.decided_until = dict(decided_until)
        if self.managed is not None:
            self.managed.begin_with(open_orders)
        else:
            open_entries = [one for one in open_orders if one.order_key in entries]
            for symbol in symbols if entries else ():
                mine = [one for one in open_entries if one.symbol == symbol]
                self.courses[symbol] = course_of(held.get(symbol, NOTHING), mine)
        if others:
            self.wide = WideMemory(others={one: held.get(one, Decimal(0)) for one in others})

    def decided_on(self, intents: Sequence[Intent], positions: Mapping[Symbol, Decimal]) -> None:
        """Remember how positions came about, from the first stop on; `positions` count all."""
        orders = [one for one in intents if isinstance(one, OrderIntent)]
        if self.managed is not None or not (self.courses or any(o.protection for o in orders)):
            return
        for place, intent in enumerate(orders):
            symbol = intent.symbol
            if symbol not in self.courses and intent.protection is not None:
                later = [one for one in orders[place:] if one.symbol == symbol]
                changes = [one.side.signed(one.quantity) for one in later]
                held = positions.get(symbol, NOTHING)
                self.courses[symbol] = Course(reduce(EXACT.subtract, changes, held))
            if symbol in self.courses:
                self.courses[symbol].decided(intent)

    def positions(self, symbol: Symbol) -> dict[Symbol, Decimal]:
        """Give all positions, `symbol` being the strategy's first."""
        others = {} if self.wide is None else self.wide.others
        return {symbol: self.position, **others}


def new_memory(warmup_events: int, *, manages_orders: bool = False) -> StrategyMemory:
    """Give the memory of a strategy that has seen nothing.

    It holds a few events more than warm-up needs, for those that warm-up must leave out.
    """
    room = warmup_events + _SPARE_EVENTS if warmup_events else 0
    managed = ManagedOrders() if manages_orders else None
    return StrategyMemory(recent=deque(maxlen=room), managed=managed)
