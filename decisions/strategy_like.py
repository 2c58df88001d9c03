"""What is driven as a strategy."""

from decimal import Decimal
from typing import Protocol

from decisions.wishes import Given
from messages.ids import TimestampNs
from messages.market import Candle, Tick, Trade
from messages.orders import OrderUpdate


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


class WideStrategy(StrategyLike, Protocol):
    """One that declares that it wants more; only what it declares is called."""

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal, /) -> Given:
        """Decide on a bar of one of its timeframes."""

    def on_timer(self, due_ns: TimestampNs, position: Decimal, /) -> Given:
        """Decide at a moment."""

    def snapshot(self) -> object:
        """Give bytes that `restore` can go on from, or None."""

    def restore(self, data: bytes, /) -> None:
        """Go back to a snapshot."""
