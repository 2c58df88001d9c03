"""A strategy for the long market: it buys and sells by turns, and numbers its orders."""

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
    """How many ticks pass between two decisions, and how many orders each of them is."""

    every: int
    at_once: int = 1


class TickTrader(Strategy):
    """The reason of a decision is the process's number, this strategy's, and the order's."""

    Params = TickTraderParams
    warmup_events = 0

    def __init__(
        self,
        params: TickTraderParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        self._every, self._at_once = params.every, params.at_once
        self._notional, self._instrument = order_notional, instrument
        self._ticks = self._decided = 0

    def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Decision]:
        self._ticks += 1
        if self._ticks % self._every:
            return ()
        one = quantity_for_notional(self._notional, tick.ask_price, self._instrument)
        if self._at_once == 1 and position > 0:
            return (market_order(Side.SELL, position, self._reason()),)
        side = Side.SELL if position > self._at_once * one else Side.BUY
        return [market_order(side, one, self._reason()) for _ in range(self._at_once)]

    def _reason(self) -> str:
        self._decided += 1
        return f"{os.getpid()}:{id(self)}:{self._decided}"
