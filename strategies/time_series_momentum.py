"""Time-series momentum with volatility targeting: long what has risen, less of what is wild.

Source: Moskowitz, Ooi and Pedersen, Time Series Momentum, Journal of Financial Economics 104
(2012), long side only. No edge is claimed.

Rule, at the close C of a bar, with r = C / C `lookback` bars before - 1, and v the volatility
per year of log returns, exponentially weighted with `volatility_period` bars as centre of mass:

    r <= 0      hold nothing
    r > 0       hold q = min(capital * min(target / v, 1), order_notional) / C
                and trade the difference when it is more than `band` of q

A year has 365 days of bars as long as the last one. What is too small for the venue waits.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument, Side
from strategies.bounds import Bars, SmoothedBars, capital_problems, refuse
from strategies.long_flat import ENTER, LEAVE, STAY, LongFlat
from strategies.momentum import RateOfChange
from strategies.position_sizing import steady, volatility_target
from strategies.protocol import Decision, market_order
from strategies.sizing import price_to_float
from strategies.volatility import EwmaVolatility, bars_per_year, per_year


class MomentumParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Periods in candles; `target` per year, 0.4 is 40 %; `capital` in quote currency."""

    lookback: Bars = 1_440
    volatility_period: SmoothedBars = 60
    target: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.4
    band: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.25
    capital: Decimal | None = None
    """What this strategy may reckon with; the order_notional where it is not given."""

    def __post_init__(self) -> None:
        """Refuse a capital that is none."""
        refuse(capital_problems(self.capital))


class TimeSeriesMomentum(LongFlat):
    """See the module."""

    Params = MomentumParams

    def __init__(
        self,
        params: MomentumParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        super().__init__(symbol, order_notional, instrument)
        self.params = params
        self._change = RateOfChange(params.lookback)
        self._volatility = EwmaVolatility(params.volatility_period)
        self._band = steady(params.band)
        self._yearly = 0.0
        self.warmup_events = max(self._change.warmup_values, self._volatility.warmup_values)

    def signal(self, candle: Candle) -> int:
        """Give the sign of the change over `lookback`."""
        close = price_to_float(candle.close)
        change = self._change.update(close)
        volatility = self._volatility.update(close)
        if change != change or volatility != volatility:
            return STAY
        self._yearly = per_year(volatility, bars_per_year(candle))
        return ENTER if change > 0 else LEAVE

    def quantity(self, close: Decimal) -> Decimal:
        """Give how much to hold in all, base currency."""
        capital = self.params.capital or self._order_notional
        target, instrument = self.params.target, self._instrument
        sized = volatility_target(capital, target, self._yearly, close, instrument)
        return min(sized, super().quantity(close))

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        """Trade the difference between what is held and what should be."""
        signal = self.signal(candle)
        if signal == LEAVE and position > 0:
            return (market_order(Side.SELL, position, self.why()),)
        if signal != ENTER:
            return ()
        wanted = self.quantity(candle.close)
        difference = wanted - position
        quantity = abs(difference)
        if not wanted or (position > 0 and quantity <= self._band * wanted):
            return ()
        if not self._acceptable(quantity, candle.close):
            return ()
        side = Side.BUY if difference > 0 else Side.SELL
        return (market_order(side, quantity, self.why()),)

    def why(self) -> str:
        """Say how it moved and how wild it is."""
        change = f"{self._change.value:+.4%} in {self.params.lookback} bars"
        return f"{change}, volatility {self._yearly:.1%} a year"

    def _acceptable(self, quantity: Decimal, close: Decimal) -> bool:
        instrument = self._instrument
        enough = quantity >= instrument.min_quantity
        return enough and quantity * close >= instrument.min_notional
