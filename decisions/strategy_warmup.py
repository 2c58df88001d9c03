"""How much of its past a fresh strategy must see."""

from collections.abc import Sequence

from decisions.resample import candles_for
from decisions.strategy_like import StrategyLike
from decisions.strategy_memory import StrategyMemory, new_memory
from decisions.strategy_wide import wants_of
from messages.ids import Symbol


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
