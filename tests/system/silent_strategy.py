"""Strategies for live tests: one that decides nothing, one that decides on every trade."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from messages.ids import Symbol
from messages.market import Candle, Tick, Trade
from messages.orders import OrderUpdate
from messages.values import Instrument, Side
from strategies.protocol import Decision, Strategy, market_order


class Silent(Strategy):
    """Remembers the grid that each of its incarnations was made with."""

    warmup_events = 0
    grids: ClassVar[list[Instrument]] = []

    def __init__(
        self,
        params: Mapping[str, Any],
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        Silent.grids.append(instrument)

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        return ()

    def on_trade(self, trade: Trade, position: Decimal) -> Sequence[Decision]:
        return ()

    def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Decision]:
        return ()

    def on_update(self, update: OrderUpdate) -> None:
        """Nothing to learn."""


class Busy(Silent):
    """Buys a hundredth on one trade that it sees and sells it on the next."""

    def on_trade(self, trade: Trade, position: Decimal) -> Sequence[Decision]:
        side = Side.SELL if position else Side.BUY
        return (market_order(side, Decimal("0.01"), "a test"),)
