"""Drives a strategy: which events it sees, and what its decisions become.

What must outlive an incarnation is a `StrategyMemory`; the strategy object itself is thrown
away with its actor and built anew by warm-up. An event that brings a strategy down is shown
once more, to its successor: the decision's key makes that safe, and a fault that was not the
event's own then costs no decision. If it brings that one down too, it is passed over.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, cast

from decisions.fast_door import Doorway, close_handler, fast_door
from decisions.managed_orders import ManagedOrders
from decisions.strategy_like import StrategyLike, WideStrategy
from decisions.strategy_memory import MOST_TRIES, StrategyMemory, new_memory
from decisions.strategy_object import file_of, held_by, own_line, state_of
from decisions.strategy_recovery import WarmUp
from decisions.strategy_told import StrategyTold
from decisions.strategy_warmup import memory_of, warmup_candles
from decisions.strategy_wide import handler_of, handles, reference_price, show, wants_of
from decisions.strategy_wide_run import WideRun
from decisions.wishes import DecisionLike, Desk, Moment, count_decisions
from messages.exact import EXACT
from messages.ids import AccountId, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketBatch, MarketEvent
from messages.orders import Intent, OrderIntent, OrderUpdate
from messages.stops import StopActed
from messages.values import Instrument, plain_instrument

__all__ = [
    "MOST_TRIES",
    "DecisionLike",
    "StrategyLike",
    "StrategyMemory",
    "StrategyRun",
    "close_handler",
    "fast_door",
    "memory_of",
    "new_memory",
    "reference_price",
    "warmup_candles",
]


def never() -> bool:
    """Whether to leave events to another: never."""
    return False


class StrategyRun:
    """One incarnation of one strategy, around a memory that outlives it.

    `symbol` is the first of its `symbols`, and the only one where those are not given.
    `instrument_of` is asked each time: a venue's rules may change.
    """

    def __init__(
        self,
        build: Callable[[], StrategyLike],
        memory: StrategyMemory,
        account: AccountId,
        strategy_id: StrategyId,
        symbol: Symbol,
        *,
        symbols: Sequence[Symbol] = (),
        instrument_of: Callable[[Symbol], Instrument] = plain_instrument,
    ) -> None:
        self.memory = memory
        self.account = account
        self.strategy_id = strategy_id
        self.symbol = symbol
        self.symbols = (symbol, *(other for other in symbols if other != symbol))
        self.problem: Exception | None = None
        """Why the last snapshot could not be taken or restored; the shell tells it."""
        self._identity = (account, strategy_id, self.symbols, instrument_of)
        self._build = build
        self._warming = WarmUp(memory, self._make, self._show, self._has_problem)
        self._make()

    def _make(self) -> WideRun | None:
        self._strategy = strategy = self._build()
        if getattr(strategy, "manages_orders", False) and self.memory.managed is None:
            self.memory.managed = ManagedOrders()
        managed = self.memory.managed
        self._desk = Desk(
            *self._identity,
            uses_stops=bool(getattr(strategy, "uses_stops", False)),
            open_orders=None if managed is None else managed.open,
            decided_at=self.memory.decided_at,
            small_targets=self.memory.small_targets,
        )
        self._wants = wants = wants_of(strategy)
        nothing = dict.fromkeys(self.symbols, Decimal(0))
        self._positions = nothing | self.memory.positions(self.symbol)
        self._told = StrategyTold(
            strategy, self.memory, self._positions, self.symbol, tells_fills=wants.fills
        )
        self._wide: WideRun | None = None
        is_wide = wants.bars or wants.timer_ns or wants.snapshots or len(self.symbols) > 1
        if is_wide or managed is not None:
            self._wide = WideRun(
                cast("WideStrategy", strategy),
                wants,
                self._desk,
                self.memory,
                self._positions,
                self._has_problem,
            )
        door = None if self._wide is not None else fast_door(strategy)
        self._doorway = None if door is None else Doorway(door, self.memory, self.symbol)
        self._on_close = None if self._wide is not None else close_handler(strategy)
        if hasattr(strategy, "positions"):
            strategy.positions = MappingProxyType(self._positions)
        if managed is not None:
            strategy.open_orders = MappingProxyType(managed.open)  # type: ignore[attr-defined]  # it says so
        return self._wide

    def _has_problem(self, error: Exception) -> None:
        self.problem = error

    def warm_up(self, is_over: Callable[[], bool] = never) -> bool:
        """Show a fresh strategy the events before now; what it decides is thrown away.

        An event that it raises on is forgotten, and the strategy is begun once more. So is
        one that the warm-up before this one hung on. False where it `is_over` before: then it
        may be told of orders, and shown no event before a whole warm-up.
        """
        return self._warming.run(is_over)

    def take(self, event: MarketEvent, created_ns: TimestampNs) -> Sequence[Intent]:
        """Show the next event of the feed and give what the strategy decides on it.

        Raises:
            Exception: whatever the strategy raises. The event has changed no position;
                throw this object away, warm a new one up, and take the event again.
        """
        if self._wide is not None:
            return self._wide.take(event, lambda: created_ns)
        decisions = self._decide(event)
        if not decisions:
            return []
        intents = self._decided_on(event, decisions, created_ns)
        self._advance(event, intents)
        return intents

    def take_close(self, close: Decimal, ts_event_ns: TimestampNs) -> Sequence[OrderIntent]:
        """Take the next candle as `take` does, given by its close and its end.

        For a run that ends where the strategy fails, such as a backtest: nothing is kept of the
        candle to show it to a successor. Only where there is a `close_handler`.
        """
        memory, symbol, handler = self.memory, self.symbol, self._on_close
        assert handler is not None, "asked of strategies that have one"
        held = memory.position
        decisions = handler(close, held)
        memory.next_index += 1
        if not decisions or memory.is_decided(symbol, ts_event_ns):
            return ()
        if type(decisions) is tuple and len(decisions) == 1:
            only = None
            if (symbol, ts_event_ns) not in memory.decided and not memory.courses:
                only = self._desk.plain(decisions[0], ts_event_ns, ts_event_ns, close, held)
            if only is not None:
                change = only.side.signed(only.quantity)
                memory.position = self._positions[symbol] = EXACT.add(held, change)
                count_decisions(memory.decided, symbol, ts_event_ns, 1)
                return (only,)
        moment = Moment(symbol, ts_event_ns, {symbol: close}, "on_close")
        intents = self._intents(moment, decisions, ts_event_ns)
        self._moved(ts_event_ns, intents)
        return intents

    def heeds(self, event: MarketEvent) -> bool:
        """Whether an event changes anything here."""
        is_its = event.symbol in self.symbols
        return is_its and (self._wide is not None or handles(self._wants.kinds, event))

    def take_aside(self, event: MarketEvent, created_ns: TimestampNs) -> Sequence[Intent]:
        """Take an event that the feed does not number, such as a live tick; as `take` otherwise."""
        memory = self.memory
        place = memory.next_index, memory.trying, memory.tries
        memory.trying = -1
        try:
            return self.take(event, created_ns)
        finally:
            memory.next_index, memory.trying, memory.tries = place

    def take_batch(
        self,
        batch: MarketBatch,
        created_ns: Callable[[], TimestampNs],
        is_over: Callable[[], bool] = never,
    ) -> Iterator[Intent]:
        """Take what is new in a batch; the intents of an event come before the next is shown.

        Nothing when events between are missing: the feed sends again what is not acked, unless
        it says that they are lost. What is decided on history is thrown away.
        Exhaust it: an event is taken when all its intents have been, and more is asked for. So
        who stops half-way leaves it to the next incarnation, which gives the same intents. So are
        the events left that are still to be shown when `is_over`.
        """
        skip = self.memory.next_index - batch.first_index
        if skip < -batch.lost:
            return
        if skip < 0:
            self.memory.next_index, skip = batch.first_index, 0
        if self._wide is not None:
            yield from self._wide.take_batch(batch, skip, created_ns, is_over)
            return
        events = batch.events[skip:]
        doorway, place = self._doorway, 0
        closes = None if doorway is None else doorway.closes(events)
        while place < len(events):
            if doorway is not None and closes is not None:
                place = doorway.passed(events, closes, place)
                if place == len(events):
                    break
            if is_over():
                break
            event, place = events[place], place + 1
            decisions = self._decide(event)
            if decisions:
                intents = (
                    [] if batch.is_history else self._decided_on(event, decisions, created_ns())
                )
                yield from intents
                self._advance(event, intents)

    def update(self, update: OrderUpdate) -> None:
        """Tell the strategy what became of its order.

        A position changes by it only where the strategy manages its orders.
        """
        self._told.update(update)
        if self._wide is not None and not self._warming.is_cut:
            self._wide.keep_snapshot()

    def stop_acted(self, acted: StopActed) -> None:
        """Count what a stop has left of the position, once, and never beyond flat."""
        self._told.stop_acted(acted)

    @property
    def place(self) -> int:
        """What rises with each event that it is shown, in a warm-up too; any thread."""
        return self.memory.next_index + self._warming.shown

    @property
    def deciding_at(self) -> int:
        """The place in the feed of the event whose intents `take_batch` is giving.

        One that manages its orders has left it behind then: see `WideRun.take_batch`.
        """
        memory = self.memory
        return memory.next_index if memory.managed is None else memory.next_index - 1

    @property
    def file(self) -> str:
        """The file that the strategy's class stands in; empty where it stands in none."""
        return file_of(self._strategy)

    def line_of(self, error: BaseException) -> str:
        """Give the strategy's own line that an error comes from; empty when it is not its own."""
        return own_line(self._strategy, error)

    @property
    def held(self) -> dict[str, Any]:
        """What the strategy object holds of its own, not what was set for it."""
        return held_by(self._strategy)

    def strategy_state(self, clean: Callable[[str], str]) -> dict[str, str]:
        """What the strategy object holds, each thing as a short text, cleaned before it is cut."""
        return state_of(self._strategy, clean)

    def _decide(self, event: MarketEvent) -> Any:
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
        if type(event) is Candle:  # what most are: `_show`, and `_advance` with nothing decided
            decisions = self._strategy.on_candle(event, memory.position)
        elif not handles(self._wants.kinds, event):
            memory.next_index = index + 1
            return ()
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
        self._moved(event.ts_event_ns, intents)

    def _moved(self, decided_at_ns: TimestampNs, intents: Sequence[OrderIntent]) -> None:
        memory = self.memory
        if intents:
            for intent in intents:
                change = intent.side.signed(intent.quantity)
                memory.position = EXACT.add(memory.position, change)
            count_decisions(memory.decided, self.symbol, decided_at_ns, len(intents))
            self._positions[self.symbol] = memory.position
            memory.decided_on(intents, self._positions)

    def _show(self, event: MarketEvent) -> Any:
        if self._wide is not None:
            self._wide.show(event)
            return ()
        return show(self._strategy, event, self.memory.position)

    def _decided_on(
        self, event: MarketEvent, decisions: Any, created_ns: TimestampNs
    ) -> list[OrderIntent]:
        price = event.close if type(event) is Candle else reference_price(event)
        moment = Moment(self.symbol, event.ts_event_ns, {self.symbol: price}, handler_of(event))
        return self._intents(moment, decisions, created_ns)

    def _intents(
        self, moment: Moment, decisions: Any, created_ns: TimestampNs
    ) -> list[OrderIntent]:
        memory, symbol, at_ns = self.memory, self.symbol, moment.decided_at_ns
        if memory.is_decided(symbol, at_ns):
            return []
        positions = {symbol: memory.position}
        decided = {(symbol, at_ns): memory.decided.get((symbol, at_ns), 0)}
        intents = self._desk.intents(decisions, moment, created_ns, positions, decided)
        return cast("list[OrderIntent]", intents)  # who manages its orders goes the other way
