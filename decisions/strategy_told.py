"""Tells a strategy what became of its orders and stops, and counts in its position what must be."""

from decimal import Decimal

from decisions.believed import Course
from decisions.strategy_like import StrategyLike
from decisions.strategy_memory import StrategyMemory
from messages.exact import EXACT, NOTHING
from messages.ids import Symbol
from messages.order_states import FINAL_STATES
from messages.orders import OrderUpdate
from messages.stops import StopActed
from messages.values import OrderState

_TOLD_FILLS = 4096
"""Executions that are remembered as told."""


class StrategyTold:
    """One incarnation's; `positions` are its own too, `symbol` is its first.

    `tells_fills`: the strategy wants to hear of each execution.
    """

    def __init__(
        self,
        strategy: StrategyLike,
        memory: StrategyMemory,
        positions: dict[Symbol, Decimal],
        symbol: Symbol,
        *,
        tells_fills: bool,
    ) -> None:
        self._strategy, self._memory = strategy, memory
        self._positions, self._symbol, self._fills = positions, symbol, tells_fills

    def update(self, update: OrderUpdate) -> None:
        """Tell the strategy what became of its order.

        A position changes by it only where the strategy manages its orders, or where an entry
        ends that only a stop would leave.
        """
        managed = self._memory.managed
        if managed is not None and (change := managed.updated(update)):
            before = self._positions.get(update.symbol, NOTHING)
            self._move(update.symbol, EXACT.add(before, change))
        elif update.state in FINAL_STATES:
            self._entry_ended(update)
        if not update.late_fills:
            self._strategy.on_update(update)
        if update.fills and self._fills:
            self._tell_fills(update)

    def _entry_ended(self, update: OrderUpdate) -> None:
        """Take back what an entry with a stop has not brought: its stop leaves nothing of it.

        The strategy would wait for ever to be out again. Where it is shown the market again, only
        what risk refused counts: that it hears at the same place each time, and how an order ends
        at the venue it does not.
        """
        course = self._memory.courses.get(update.symbol)
        if course is None or not course.awaits(update.order_key):
            return
        if self._memory.from_ledger or update.state is OrderState.REFUSED:
            course.ended(update)
            self._move(update.symbol, course.position)
        course.closed(update.order_key)

    def stop_acted(self, acted: StopActed) -> None:
        """Count what a stop has left of the position, once, and never beyond flat.

        Beyond it is what the strategy has left by itself meanwhile: of that the stop had nothing.
        What the executor took later left nothing of what the stop had, and is counted on it. Where
        the market is shown again, all was taken before: the stop's event is shown there first.
        One that manages its orders counts that again as its own exit is refused or cut, so of it
        all counts.
        """
        memory, symbol = self._memory, acted.symbol
        if symbol not in self._positions or acted.order_key in memory.told_stops:
            return
        memory.told_stops[acted.order_key] = None
        if len(memory.told_stops) > _TOLD_FILLS:
            del memory.told_stops[next(iter(memory.told_stops))]
        if memory.managed is not None:
            before = self._positions[symbol]
            self._move(symbol, EXACT.add(before, acted.change))
            return
        course = memory.courses.get(symbol) or Course(self._positions[symbol])
        course.stop_acted(acted, acted.after if memory.from_ledger else None)
        self._move(symbol, course.position)

    def _move(self, symbol: Symbol, position: Decimal) -> None:
        memory = self._memory
        self._positions[symbol] = position
        if symbol == self._symbol:
            memory.position = position
        elif memory.wide is not None:
            memory.wide.others[symbol] = position

    def _tell_fills(self, update: OrderUpdate) -> None:
        on_fill = getattr(self._strategy, "on_fill", None)
        told = self._memory.told_fills
        if on_fill is None:
            return
        for fill in update.fills:
            name = (update.order_key, fill.trade_id)
            if name not in told:
                told[name] = None  # before: what brings it down is not told again
                if len(told) > _TOLD_FILLS:
                    del told[next(iter(told))]
                on_fill(fill, update)
