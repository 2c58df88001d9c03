"""A strategy of your own: buy above the highest close of a while, sell below the lowest.

It shows the form of a strategy, not a way to earn money.
"""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument, Side
from strategies.protocol import Decision, Strategy, market_order
from strategies.sizing import quantity_for_notional


class BreakoutParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The config's `[strategy.params]`, checked before anything starts."""

    lookback: int

    def __post_init__(self) -> None:
        """Refuse what cannot work, with a sentence for the config's reader."""
        if self.lookback < 2:
            raise ValueError(f"lookback must be at least 2, not {self.lookback}")


class Breakout(Strategy):
    """Long or flat, never short."""

    Params = BreakoutParams

    def __init__(
        self,
        params: BreakoutParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        self.symbol = symbol
        self.warmup_events = params.lookback
        self._order_notional = order_notional
        self._instrument = instrument
        self._closes: deque[Decimal] = deque(maxlen=params.lookback)

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        """Compare the close with those before it, then remember it."""
        closes = self._closes
        is_full = len(closes) == closes.maxlen
        highest, lowest = (max(closes), min(closes)) if is_full else (None, None)
        closes.append(candle.close)
        if highest is not None and candle.close > highest and position == 0:
            quantity = quantity_for_notional(self._order_notional, candle.close, self._instrument)
            reason = f"close {candle.close} above {highest}"
            return (market_order(Side.BUY, quantity, reason),) if quantity else ()
        if lowest is not None and candle.close < lowest and position > 0:
            return (market_order(Side.SELL, position, f"close {candle.close} below {lowest}"),)
        return ()
