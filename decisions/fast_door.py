"""Doors beside `on_candle`, for strategies that decide on closes alone: fewer calls, no event each.

What comes out of them is what `on_candle` would have decided.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import attrgetter, index
from typing import Any

from decisions.strategy_memory import StrategyMemory
from messages.ids import Symbol
from messages.market import Candle, MarketEvent

Door = Callable[[Sequence[float], int], int]
"""Takes closes from a place on while nothing is decided; gives the place that it came to."""


CloseHandler = Callable[[Decimal, Decimal], Any]
"""Takes a close and the position; gives what `on_candle` would."""

_FEW_EVENTS = 16
"""Fewer are shown one by one: a door costs more than it gives then."""
_SYMBOL, _CLOSE = attrgetter("symbol"), attrgetter("close")


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


class Doorway:
    """One incarnation's way by its fast door; `symbol` is the only one that it trades."""

    def __init__(self, door: Door, memory: StrategyMemory, symbol: Symbol) -> None:
        self._door, self._memory, self._symbol = door, memory, symbol

    def closes(self, events: Sequence[MarketEvent]) -> list[float] | None:
        """Give the closes for the door; None where it stays shut, or there is nothing for it."""
        if self._memory.at_door or len(events) < _FEW_EVENTS:
            return None
        if set(map(type, events)) != {Candle} or set(map(_SYMBOL, events)) != {self._symbol}:
            return None
        return list(map(float, map(_CLOSE, events)))

    def passed(self, events: Sequence[MarketEvent], closes: list[float], place: int) -> int:
        """Go by the door as far as nothing is decided; what was tried before, it must not.

        Raises:
            Exception: whatever the strategy raises; the door stays shut then.
            TypeError: it came to what is no whole number.
            ValueError: it came to a place that is none.
        """
        memory = self._memory
        if memory.trying == memory.next_index:
            return place
        memory.at_door = True
        reached = index(self._door(closes, place))  # numpy's own cannot be written down
        if not place <= reached <= len(closes):
            raise ValueError(f"pass_closes went from {place} to {reached} of {len(closes)} closes")
        memory.at_door = False
        memory.next_index += reached - place
        memory.recent.extend(events[place:reached])
        return reached
