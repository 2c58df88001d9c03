"""MACD with a trend filter: buy when it comes above its signal in a rising market.

Source: Gerald Appel, Technical Analysis: Power Tools for Active Investors (2005), for the MACD
and its 12, 26 and 9; the filter by a long mean is common practice. No edge is claimed.

Rule, at the close C of a bar, with macd = EMA(fast) - EMA(slow) and its EMA(signal):

    buy         macd comes above the signal (it was not above at the bar before) and C > SMA(trend)
    sell all    macd < signal
    size        order_notional / C

Nearer than one part in 10**12 of the price is level, neither above nor below.
"""

from decimal import Decimal

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.bounds import Bars, SmoothedBars, refuse
from strategies.indicators import Sma
from strategies.long_flat import ENTER, LEAVE, STAY, LongFlat, above
from strategies.momentum import Macd
from strategies.sizing import price_to_float


class MacdParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Periods in candles."""

    fast: SmoothedBars = 12
    slow: SmoothedBars = 26
    signal: SmoothedBars = 9
    trend: Bars = 200

    def __post_init__(self) -> None:
        """Refuse means that cannot come apart."""
        if self.slow <= self.fast:
            refuse([f"slow must be greater than fast ({self.fast}), not {self.slow}"])


class MacdTrend(LongFlat):
    """See the module."""

    Params = MacdParams

    def __init__(
        self, params: MacdParams, symbol: Symbol, order_notional: Decimal, instrument: Instrument
    ) -> None:
        super().__init__(symbol, order_notional, instrument)
        self.params = params
        self._macd = Macd(params.fast, params.slow, params.signal)
        self._trend = Sma(params.trend)
        self._was_above: bool | None = None
        # One more for what it was before.
        self.warmup_events = max(self._macd.warmup_values, params.trend) + 1

    def signal(self, candle: Candle) -> int:
        """Compare the macd with its signal, and with how it stood to it at the bar before."""
        close = price_to_float(candle.close)
        self._macd.update(close)
        trend = self._trend.update(close)
        gap = self._macd.value - self._macd.signal
        if gap != gap:
            return STAY
        was_above, self._was_above = self._was_above, gap > 1e-12 * close
        if gap < -1e-12 * close:
            return LEAVE
        comes_above = self._was_above and was_above is False
        return ENTER if comes_above and above(close, trend) else STAY

    def why(self) -> str:
        """Say how the two stand."""
        macd, signal = self._macd.value, self._macd.signal
        way = "above" if macd > signal else "below"
        digits = self._digits + 2
        text = f"macd {macd:.{digits}f} {way} its signal {signal:.{digits}f}"
        return f"{text}, sma{self.params.trend} {self.price_text(self._trend.value)}"
