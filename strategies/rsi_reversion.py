"""RSI mean reversion: buy an oversold market, sell when it has recovered.

Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), who read 30 as
oversold and 70 as overbought; leaving at the middle is later practice. No edge is claimed.

Rule, at the close of a bar:

    buy         RSI(period) < oversold
    sell all    RSI(period) > leave
    size        order_notional / C

There is no stop: a market that keeps falling is held until its RSI recovers.
"""

from decimal import Decimal

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.bounds import Percent, SmoothedBars, refuse
from strategies.long_flat import ENTER, LEAVE, STAY, LongFlat, above
from strategies.sizing import price_to_float
from strategies.wilder import Rsi


class RsiParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The period in candles; the levels from 0 to 100."""

    period: SmoothedBars = 14
    oversold: Percent = 30.0
    leave: Percent = 50.0

    def __post_init__(self) -> None:
        """Refuse levels that would buy and sell at once."""
        if self.leave <= self.oversold:
            refuse([f"leave must be greater than oversold ({self.oversold}), not {self.leave}"])


class RsiReversion(LongFlat):
    """See the module."""

    Params = RsiParams

    def __init__(
        self, params: RsiParams, symbol: Symbol, order_notional: Decimal, instrument: Instrument
    ) -> None:
        super().__init__(symbol, order_notional, instrument)
        self.params = params
        self._rsi = Rsi(params.period)
        self.warmup_events = self._rsi.warmup_values

    def signal(self, candle: Candle) -> int:
        """Compare the index with its two levels."""
        rsi = self._rsi.update(price_to_float(candle.close))
        if above(self.params.oversold, rsi):
            return ENTER
        return LEAVE if above(rsi, self.params.leave) else STAY

    def why(self) -> str:
        """Say where the index is."""
        rsi, params = self._rsi.value, self.params
        if rsi > params.leave:
            return f"rsi{params.period} {rsi:.2f} above {params.leave:g}"
        return f"rsi{params.period} {rsi:.2f} below {params.oversold:g}"
