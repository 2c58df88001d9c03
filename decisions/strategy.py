"""Drives a strategy: which events it sees, and what its decisions become.

What must outlive an incarnation is a `StrategyMemory`; the strategy object itself is thrown
away with its actor and built anew by warm-up. An event that brings a strategy down is shown
once more, to its successor: the decision's key makes that safe, and a fault that was not the
event's own then costs no decision. If it brings that one down too, it is passed over.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from decisions.order_keys import order_key
from messages.ids import AccountId, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketBatch, MarketEvent, Tick, Trade
from messages.orders import OrderIntent, OrderUpdate
from messages.values import OrderType, Side, TimeInForce

_SPARE_EVENTS = 8
MOST_TRIES = 2


class DecisionLike(Protocol):
    """What a strategy gives for one wish to trade."""

    @property
    def side(self) -> Side:
        """Which way."""

    @property
    def order_type(self) -> OrderType:
        """How the price is set."""

    @property
    def time_in_force(self) -> TimeInForce:
        """How long it lives."""

    @property
    def quantity(self) -> Decimal:
        """Base currency, unsigned."""

    @property
    def limit_price(self) -> Decimal | None:
        """None for a market order."""

    @property
    def reason(self) -> str:
        """Why, for a person."""


class StrategyLike(Protocol):
    """What is driven here."""

    @property
    def warmup_events(self) -> int:
        """How many events a fresh one must see."""

    def on_candle(self, candle: Candle, position: Decimal, /) -> Sequence[DecisionLike]:
        """Decide on a bar that has just closed."""

    def on_trade(self, trade: Trade, position: Decimal, /) -> Sequence[DecisionLike]:
        """Decide on somebody's trade."""

    def on_tick(self, tick: Tick, position: Decimal, /) -> Sequence[DecisionLike]:
        """Decide on a new best bid and ask."""

    def on_update(self, update: OrderUpdate, /) -> None:
        """Learn what became of an order."""


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

    @property
    def warmed(self) -> tuple[int, int]:
        """How many events a fresh strategy would be shown, and how many it wants; any thread."""
        room = self.recent.maxlen or 0
        return len(self.recent), max(room - _SPARE_EVENTS, 0)

    def inherited(self) -> "StrategyMemory":
        """Give a copy for the next incarnation; an abandoned one may still change the old."""
        return msgspec.structs.replace(self, recent=self.recent.copy())


def new_memory(warmup_events: int) -> StrategyMemory:
    """Give the memory of a strategy that has seen nothing.

    It holds a few events more than warm-up needs, for those that warm-up must leave out.
    """
    room = warmup_events + _SPARE_EVENTS if warmup_events else 0
    return StrategyMemory(recent=deque(maxlen=room))


class StrategyRun:
    """One incarnation of one strategy on one symbol, around a memory that outlives it."""

    def __init__(
        self,
        build: Callable[[], StrategyLike],
        memory: StrategyMemory,
        account: AccountId,
        strategy_id: StrategyId,
        symbol: Symbol,
    ) -> None:
        self.memory = memory
        self.account = account
        self.strategy_id = strategy_id
        self.symbol = symbol
        self._build = build
        self._strategy = build()

    def warm_up(self) -> None:
        """Show a fresh strategy the events before now; what it decides is thrown away.

        An event that it raises on is forgotten, and the strategy is begun once more. So is
        one that the warm-up before this one hung on.
        """
        events, hung_on = self.memory.recent, self.memory.warming_on
        for place, event in enumerate(events):
            if event is hung_on:
                del events[place]
                break
        while True:
            self._strategy = self._build()
            poison = self._first_refused(events)
            if poison is None:
                return
            del events[poison]

    def take(self, event: MarketEvent, created_ns: TimestampNs) -> list[OrderIntent]:
        """Show the next event of the feed and give what the strategy decides on it.

        Raises:
            Exception: whatever the strategy raises. The event has changed no position;
                throw this object away, warm a new one up, and take the event again.
        """
        decisions = self._decide(event)
        if not decisions:
            return []
        intents = self._intents(event, decisions, created_ns)
        self._advance(event, intents)
        return intents

    def take_batch(
        self, batch: MarketBatch, created_ns: Callable[[], TimestampNs]
    ) -> Iterator[OrderIntent]:
        """Take what is new in a batch; the intents of an event come before the next is shown.

        Nothing when events between are missing: the feed sends again what is not acked, unless
        it says that they are lost. What is decided on history is thrown away.
        Exhaust it: an event is taken when all its intents have been, and more is asked for. So
        who stops half-way leaves it to the next incarnation, which gives the same intents.
        """
        skip = self.memory.next_index - batch.first_index
        if skip < -batch.lost:
            return
        if skip < 0:
            self.memory.next_index, skip = batch.first_index, 0
        for event in batch.events[skip:]:
            decisions = self._decide(event)
            if decisions:
                intents = [] if batch.is_history else self._intents(event, decisions, created_ns())
                yield from intents
                self._advance(event, intents)

    def update(self, update: OrderUpdate) -> None:
        """Tell the strategy what became of its order; a position does not change by it."""
        self._strategy.on_update(update)

    def strategy_state(self, clean: Callable[[str], str]) -> dict[str, str]:
        """What the strategy object holds, each thing as a short text, cleaned before it is cut."""
        held = getattr(self._strategy, "__dict__", {})
        return {name.lstrip("_"): clean(repr(value))[:200] for name, value in sorted(held.items())}

    def _first_refused(self, events: deque[MarketEvent]) -> int | None:
        for place, event in enumerate(events):
            self.memory.warming_on = event
            try:
                self._show(event)
            except BaseException:  # noqa: BLE001 - even an exit: warm-up must not fail of it twice
                return place
        self.memory.warming_on = None
        return None

    def _decide(self, event: MarketEvent) -> Sequence[DecisionLike]:
        memory = self.memory
        index = memory.next_index
        if event.symbol != self.symbol:
            memory.next_index = index + 1
            return ()
        if memory.trying != index:
            memory.trying, memory.tries = index, 1
        else:
            memory.tries += 1
            if memory.tries > MOST_TRIES:
                memory.next_index = index + 1
                memory.passed_over += 1
                return ()
        if event.ts_event_ns != memory.last_ts:
            memory.last_ts = event.ts_event_ns
            memory.decided_at_last_ts = 0
        if type(event) is Candle:  # what most are: `_show`, and `_advance` with nothing decided
            decisions = self._strategy.on_candle(event, memory.position)
        else:
            decisions = self._show(event)
        if not decisions:
            memory.next_index = index + 1
            memory.recent.append(event)
        return decisions

    def _advance(self, event: MarketEvent, intents: Sequence[OrderIntent]) -> None:
        """Leave an event behind: what was decided on it is on its way."""
        memory = self.memory
        memory.next_index += 1
        memory.recent.append(event)
        if intents:
            memory.position += sum((i.quantity * i.side.sign for i in intents), start=Decimal(0))
            memory.decided_at_last_ts += len(intents)

    def _show(self, event: MarketEvent) -> Sequence[DecisionLike]:
        if isinstance(event, Candle):
            return self._strategy.on_candle(event, self.memory.position)
        if isinstance(event, Trade):
            return self._strategy.on_trade(event, self.memory.position)
        return self._strategy.on_tick(event, self.memory.position)

    def _intents(
        self, event: MarketEvent, decisions: Sequence[DecisionLike], created_ns: TimestampNs
    ) -> list[OrderIntent]:
        memory = self.memory
        price = reference_price(event)
        first = memory.decided_at_last_ts
        return [
            self._intent(event, decision, first + place, price, created_ns)
            for place, decision in enumerate(decisions)
        ]

    def _intent(
        self,
        event: MarketEvent,
        decision: DecisionLike,
        ordinal: int,
        price: Decimal,
        created_ns: TimestampNs,
    ) -> OrderIntent:
        decided_at = event.ts_event_ns
        return OrderIntent(
            order_key=order_key(self.account, self.strategy_id, self.symbol, decided_at, ordinal),
            account=self.account,
            strategy_id=self.strategy_id,
            symbol=self.symbol,
            side=decision.side,
            order_type=decision.order_type,
            time_in_force=decision.time_in_force,
            quantity=decision.quantity,
            limit_price=decision.limit_price,
            reference_price=price,
            decided_at_ns=decided_at,
            ts_created_ns=created_ns,
            reason=decision.reason,
        )


def reference_price(event: MarketEvent) -> Decimal:
    """Give the price that a decision on this event was made at: close, trade or middle."""
    if isinstance(event, Candle):
        return event.close
    if isinstance(event, Trade):
        return event.price
    return (event.bid_price + event.ask_price) / 2
