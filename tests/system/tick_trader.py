"""A strategy for the long market: it buys and sells by turns, and numbers what it decides."""

import os
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from messages.ids import Symbol
from messages.market import Tick
from messages.values import Instrument, Side
from strategies.protocol import Decision, Strategy, market_order
from strategies.sizing import quantity_for_notional


class TickTraderParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many ticks pass between two decisions."""

    every: int


class TickTrader(Strategy):
    """The reason of a decision is the process's number, this strategy's, and the decision's."""

    Params = TickTraderParams
    warmup_events = 0

    def __init__(
        self,
        params: TickTraderParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        self._every, self._notional, self._instrument = params.every, order_notional, instrument
        self._ticks = self._decided = 0

    def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Decision]:
        self._ticks += 1
        if self._ticks % self._every:
            return ()
        self._decided += 1
        reason = f"{os.getpid()}:{id(self)}:{self._decided}"
        if position > 0:
            return (market_order(Side.SELL, position, reason),)
        quantity = quantity_for_notional(self._notional, tick.ask_price, self._instrument)
        return (market_order(Side.BUY, quantity, reason),)
