"""What a strategy's driver must not forget when its actor is restarted."""

from collections import deque
from decimal import Decimal

import msgspec

from decisions.strategy_wide import WideMemory
from messages.ids import OrderKey, Symbol, TimestampNs
from messages.market import MarketEvent

_SPARE_EVENTS = 8


class StrategyMemory(msgspec.Struct, kw_only=True):
    """What survives a restart of a strategy's actor."""

    recent: deque[MarketEvent]
    """The last events of its symbol that it survived, as many as warm-up needs and a few more."""
    next_index: int = 0
    """The place in the feed of the next event to decide on."""
    position: Decimal = Decimal(0)
    """What all decisions so far would hold if they filled: base currency, signed."""
    last_ts: TimestampNs = TimestampNs(-1)
    decided_at_last_ts: int = 0
    """How many decisions the moment `last_ts` has had: the next one's ordinal."""
    trying: int = -1
    """The place of the event that is, or was last, shown to be decided on."""
    tries: int = 0
    passed_over: int = 0
    """Events that brought two incarnations down and were not shown to a third."""
    warming_on: MarketEvent | None = None
    """The event that a warm-up is showing; still here after a hang in it."""
    told_fills: dict[tuple[OrderKey, str], None] = {}
    """The last executions that `on_fill` was told of, the oldest first: by order, for two of its
    own orders that meet have one trade id."""
    wide: WideMemory | None = None
    """Of a strategy that wants more than plain events of one symbol."""

    @property
    def warmed(self) -> tuple[int, int]:
        """How many events a fresh strategy would be shown, and how many it wants; any thread."""
        room = self.recent.maxlen or 0
        return len(self.recent), max(room - _SPARE_EVENTS, 0)

    def inherited(self) -> "StrategyMemory":
        """Give a copy for the next incarnation; an abandoned one may still change the old."""
        wide = None if self.wide is None else self.wide.inherited()
        recent, told = self.recent.copy(), self.told_fills.copy()
        return msgspec.structs.replace(self, recent=recent, told_fills=told, wide=wide)

    def positions(self, symbol: Symbol) -> dict[Symbol, Decimal]:
        """Give all positions, `symbol` being the strategy's first."""
        others = {} if self.wide is None else self.wide.others
        return {symbol: self.position, **others}


def new_memory(warmup_events: int) -> StrategyMemory:
    """Give the memory of a strategy that has seen nothing.

    It holds a few events more than warm-up needs, for those that warm-up must leave out.
    """
    room = warmup_events + _SPARE_EVENTS if warmup_events else 0
    return StrategyMemory(recent=deque(maxlen=room))
