"""Drives a strategy: which events it sees, and what its decisions become.

What must outlive an incarnation is a `StrategyMemory`; the strategy object itself is thrown
away with its actor and built anew by warm-up. An event that brings a strategy down is shown
once more, to its successor: the decision's key makes that safe, and a fault that was not the
event's own then costs no decision. If it brings that one down too, it is passed over.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

from decisions.managed_orders import ManagedOrders
from decisions.resample import candles_for
from decisions.strategy_memory import MOST_TRIES, StrategyMemory, new_memory
from decisions.strategy_wide import handler_of, handles, reference_price, show, wants_of
from decisions.strategy_wide_run import WideRun
from decisions.wishes import (
    DecisionLike,
    Desk,
    Given,
    Moment,
    count_decisions,
    plain_instrument,
)
from messages.errors import BadDecision
from messages.ids import AccountId, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketBatch, MarketEvent, Tick, Trade
from messages.orders import Intent, OrderIntent, OrderUpdate
from messages.own_lines import line_of
from messages.stops import StopActed
from messages.values import BUY, Instrument

__all__ = [
    "MOST_TRIES",
    "DecisionLike",
    "StrategyLike",
    "StrategyMemory",
    "StrategyRun",
    "memory_of",
    "new_memory",
    "reference_price",
    "warmup_candles",
]

_SET_FOR_IT = ("symbols", "instruments", "positions", "open_orders")
_FEW_EVENTS = 16
"""Fewer are shown one by one: a door costs more than it gives then."""
_SYMBOL, _CLOSE = attrgetter("symbol"), attrgetter("close")
_TOLD_FILLS = 4096
"""Executions that are remembered as told."""


class StrategyLike(Protocol):
    """What is driven here."""

    @property
    def warmup_events(self) -> int:
        """How many events a fresh one must see."""

    def on_candle(self, candle: Candle, position: Decimal, /) -> Given:
        """Decide on a bar that has just closed."""

    def on_trade(self, trade: Trade, position: Decimal, /) -> Given:
        """Decide on somebody's trade."""

    def on_tick(self, tick: Tick, position: Decimal, /) -> Given:
        """Decide on a new best bid and ask."""

    def on_update(self, update: OrderUpdate, /) -> None:
        """Learn what became of an order."""


def warmup_candles(strategy: StrategyLike, base_ns: int) -> int:
    """Give how many candles of each symbol a fresh strategy must see: of the feed's length.

    What it declares in `warmup_bars`, by timeframe, is counted in those bars. Of each of its
    timeframes a fresh one needs the bar under way, or it would not be told that one.
    """
    counts = getattr(strategy, "warmup_bars", {})
    bars = wants_of(strategy).bars
    needed = (candles_for(counts.get(name, 0), length, base_ns) for name, length in bars)
    return max((strategy.warmup_events, *needed))


def memory_of(strategy: StrategyLike, base_ns: int, symbols: Sequence[Symbol]) -> StrategyMemory:
    """Give the memory of a strategy that has seen nothing, with room for what it declares."""
    events = warmup_candles(strategy, base_ns) * max(len(symbols), 1)
    return new_memory(events, manages_orders=bool(getattr(strategy, "manages_orders", False)))


Door = Callable[[Sequence[float], int], int]
"""Takes closes from a place on while nothing is decided; gives the place that it came to."""


CloseHandler = Callable[[Decimal, Decimal], Any]
"""Takes a close and the position; gives what `on_candle` would."""


def fast_door(strategy: object) -> Door | None:
    """Give the strategy's second door, if no class below it decides otherwise than it knows."""
    for cls in type(strategy).__mro__:
        if "pass_closes" in vars(cls):
            door: Door = strategy.pass_closes  # type: ignore[attr-defined]  # a class of it has one
            return door
        if "on_candle" in vars(cls) or "on_close" in vars(cls):
            return None
    return None


def close_handler(strategy: object) -> CloseHandler | None:
    """Give what decides on a close alone, if no class below it has another `on_candle`."""
    for cls in type(strategy).__mro__:
        if "on_close" in vars(cls):
            handler: CloseHandler = strategy.on_close  # type: ignore[attr-defined]  # as above
            return handler
        if "on_candle" in vars(cls):
            return None
    return None


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
        self._make()

    def _make(self) -> None:
        self._strategy = strategy = self._build()
        if getattr(strategy, "manages_orders", False) and self.memory.managed is None:
            self.memory.managed = ManagedOrders()
        managed = self.memory.managed
        self._desk = Desk(
            *self._identity,
            uses_stops=bool(getattr(strategy, "uses_stops", False)),
            open_orders=None if managed is None else managed.open,
        )
        self._wants = wants = wants_of(strategy)
        nothing = dict.fromkeys(self.symbols, Decimal(0))
        self._positions = nothing | self.memory.positions(self.symbol)
        self._wide: WideRun | None = None
        is_wide = wants.bars or wants.timer_ns or wants.snapshots or len(self.symbols) > 1
        if is_wide or managed is not None:
            self._wide = WideRun(
                strategy, wants, self._desk, self.memory, self._positions, self._has_problem
            )
        self._door = None if self._wide is not None else fast_door(strategy)
        self._on_close = None if self._wide is not None else close_handler(strategy)
        if hasattr(strategy, "positions"):
            strategy.positions = MappingProxyType(self._positions)
        if managed is not None:
            strategy.open_orders = MappingProxyType(managed.open)  # type: ignore[attr-defined]  # it says so

    def _has_problem(self, error: Exception) -> None:
        self.problem = error

    def warm_up(self) -> None:
        """Show a fresh strategy the events before now; what it decides is thrown away.

        An event that it raises on is forgotten, and the strategy is begun once more. So is
        one that the warm-up before this one hung on.
        """
        if self._restored():
            return
        events, hung_on = self.memory.recent, self.memory.warming_on
        for place, event in enumerate(events):
            if event is hung_on:
                del events[place]
                break
        while True:
            self._make()
            poison = self._first_refused(events)
            if poison is None:
                break
            del events[poison]
        if self._wide is not None:
            self._wide.begin()

    def _restored(self) -> bool:
        """Go back to the snapshot, where there is one and it is not what the fault is in."""
        memory = self.memory
        wide = memory.wide
        if wide is None or wide.snapshot is None:
            return False
        tried = memory.tries if memory.trying == memory.next_index else 0
        if not wide.restoring and tried < MOST_TRIES:
            wide.restoring = True
            try:
                self._make()
                assert self._wide is not None, "a snapshot is kept of no other"
                self._wide.restore()
            except Exception as error:  # noqa: BLE001 - a user's code; warm-up does without
                self.problem = error
            else:
                wide.restoring = False
                return True
        wide.restoring, wide.snapshot, wide.since = False, None, []
        return False

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
        if not decisions or ts_event_ns <= memory.decided_until_ns:
            return ()
        if type(decisions) is tuple and len(decisions) == 1:
            only = None
            if (symbol, ts_event_ns) not in memory.decided:
                only = self._desk.plain(decisions[0], ts_event_ns, ts_event_ns, close, held)
            if only is not None:
                change = +only.quantity if only.side is BUY else -only.quantity  # as a product is
                memory.position = self._positions[symbol] = held + change
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
        self, batch: MarketBatch, created_ns: Callable[[], TimestampNs]
    ) -> Iterator[Intent]:
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
        if self._wide is not None:
            yield from self._wide.take_batch(batch, skip, created_ns)
            return
        events = batch.events[skip:]
        closes, place = self._closes(events), 0
        while place < len(events):
            if closes is not None and (place := self._passed(events, closes, place)) == len(events):
                break
            event, place = events[place], place + 1
            decisions = self._decide(event)
            if decisions:
                intents = (
                    [] if batch.is_history else self._decided_on(event, decisions, created_ns())
                )
                yield from intents
                self._advance(event, intents)

    def _closes(self, events: Sequence[MarketEvent]) -> list[float] | None:
        """Give the closes for a fast door; None where there is none, or nothing for it."""
        if self._door is None or self.memory.at_door or len(events) < _FEW_EVENTS:
            return None
        if set(map(type, events)) != {Candle} or set(map(_SYMBOL, events)) != {self.symbol}:
            return None
        return list(map(float, map(_CLOSE, events)))

    def _passed(self, events: Sequence[MarketEvent], closes: list[float], place: int) -> int:
        """Go by the fast door as far as nothing is decided; what was tried before, it must not."""
        memory = self.memory
        if self._door is None or memory.trying == memory.next_index:
            return place
        memory.at_door = True
        reached = self._door(closes, place)
        if not place <= reached <= len(closes):
            raise ValueError(f"pass_closes went from {place} to {reached} of {len(closes)} closes")
        memory.at_door = False
        memory.next_index += reached - place
        memory.recent.extend(events[place:reached])
        return reached

    def update(self, update: OrderUpdate) -> None:
        """Tell the strategy what became of its order.

        A position changes by it only where the strategy manages its orders.
        """
        managed = self.memory.managed
        if managed is not None and (change := managed.updated(update)):
            self._move(update.symbol, self._positions.get(update.symbol, Decimal(0)) + change)
        if not update.late_fills:
            self._strategy.on_update(update)
        if update.fills and self._wants.fills:
            self._tell_fills(update)
        if self._wide is not None:
            self._wide.keep_snapshot()

    def stop_acted(self, acted: StopActed) -> None:
        """Count what a stop has left of the position, once, and never beyond flat.

        Beyond it is what the strategy has left by itself meanwhile: of that the stop had nothing.
        """
        memory, symbol = self.memory, acted.symbol
        if symbol not in self._positions or acted.order_key in memory.told_stops:
            return
        memory.told_stops[acted.order_key] = None
        if len(memory.told_stops) > _TOLD_FILLS:
            del memory.told_stops[next(iter(memory.told_stops))]
        before = self._positions[symbol]
        if before * acted.change >= 0:
            return
        after = before + acted.change
        self._move(symbol, after if after * before > 0 else Decimal(0))

    def _move(self, symbol: Symbol, position: Decimal) -> None:
        memory = self.memory
        self._positions[symbol] = position
        if symbol == self.symbol:
            memory.position = position
        elif memory.wide is not None:
            memory.wide.others[symbol] = position

    def _tell_fills(self, update: OrderUpdate) -> None:
        on_fill = getattr(self._strategy, "on_fill", None)
        told = self.memory.told_fills
        if on_fill is None:
            return
        for fill in update.fills:
            name = (update.order_key, fill.trade_id)
            if name not in told:
                told[name] = None  # before: what brings it down is not told again
                if len(told) > _TOLD_FILLS:
                    del told[next(iter(told))]
                on_fill(fill, update)

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
        return str(getattr(sys.modules.get(type(self._strategy).__module__), "__file__", ""))

    def line_of(self, error: BaseException) -> str:
        """Give the strategy's own line that an error comes from; empty when it is not its own."""
        if isinstance(error, BadDecision):
            handler = getattr(type(self._strategy), error.handler, None)
            code = getattr(handler, "__code__", None)
            name = Path(code.co_filename).name if code is not None else ""
            return f"{name}:{code.co_firstlineno}, in {error.handler}" if code is not None else ""
        return line_of(error, self.file)

    @property
    def held(self) -> dict[str, Any]:
        """What the strategy object holds of its own, not what was set for it."""
        held = getattr(self._strategy, "__dict__", {})
        return {name: value for name, value in held.items() if name not in _SET_FOR_IT}

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
                memory.position += intent.quantity * intent.side.sign
            count_decisions(memory.decided, self.symbol, decided_at_ns, len(intents))
            self._positions[self.symbol] = memory.position

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
        if at_ns <= memory.decided_until_ns:
            return []
        positions = {symbol: memory.position}
        decided = {(symbol, at_ns): memory.decided.get((symbol, at_ns), 0)}
        intents = self._desk.intents(decisions, moment, created_ns, positions, decided)
        return cast("list[OrderIntent]", intents)  # who manages its orders goes the other way
