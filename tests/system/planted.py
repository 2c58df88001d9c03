"""Strategies with a fault in them, loaded by a configuration."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from messages.market import Candle
from messages.values import Side
from strategies.protocol import Decision, Strategy, market_order
from strategies.sizing import quantity_for_notional

CRASHED = "crashed"
"""The file that says so, in the directory that the parameter names."""


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`folder`: where a crash leaves its mark, so that it happens once."""

    folder: str = ""


class Seesaw(Strategy):
    """In on one candle, out on the next: an order each. No edge claimed."""

    Params = Where
    warmup_events = 2

    def __init__(self, params: Any, symbol: Any, order_notional: Any, instrument: Any) -> None:
        self._params, self._notional = params, order_notional
        self._instrument = instrument

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        if position > 0:
            return (market_order(Side.SELL, position, "out"),)
        quantity = quantity_for_notional(self._notional, candle.close, self._instrument)
        return (market_order(Side.BUY, quantity, "in"),)


class Greedy(Seesaw):
    """In on every candle, for more than it may."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        return super().on_candle(candle, Decimal(0))


class Crasher(Seesaw):
    """Raises once, while it holds something."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        mark = Path(self._params.folder) / CRASHED
        if position > 0 and not mark.exists():
            mark.touch()
            raise RuntimeError("a planted crash")
        return super().on_candle(candle, position)
