"""Bollinger reversion: buy below the lower band, sell when the middle is reached.

Source: John Bollinger, Bollinger on Bollinger Bands (2001), whose bands these are (20 bars, 2
deviations over the population); buying their break for a return is common practice and not
his advice. No edge is claimed.

Rule, at the close C of a bar, with mean m and deviation s of the last `period` closes:

    buy         C < m - width * s
    sell all    C > m
    size        order_notional / C

There is no stop: the mean comes down to a market that keeps falling.
"""

from decimal import Decimal

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.bounds import Bars, Multiple, refuse
from strategies.long_flat import ENTER, LEAVE, STAY, LongFlat, above
from strategies.rolling import Moments
from strategies.sizing import price_to_float


class BollingerParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The period in candles; the width in deviations."""

    period: Bars = 20
    width: Multiple = 2.0

    def __post_init__(self) -> None:
        """Refuse bands that no close can be outside of."""
        if self.width**2 >= self.period - 1:
            most = (self.period - 1) ** 0.5
            refuse(
                [
                    f"width must be less than {most:.4g}, the farthest that one of {self.period} "
                    f"closes can be from their mean, not {self.width}"
                ]
            )


class BollingerReversion(LongFlat):
    """See the module."""

    Params = BollingerParams

    def __init__(
        self,
        params: BollingerParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        super().__init__(symbol, order_notional, instrument)
        self.params = params
        self._moments = Moments(params.period)
        self._crossed = (0.0, "", 0.0)
        self.warmup_events = params.period

    def signal(self, candle: Candle) -> int:
        """Compare the close with the lower band and the middle."""
        close = price_to_float(candle.close)
        middle = self._moments.update(close)
        if above(close, middle):
            return self._say(LEAVE, close, "above the mean", middle)
        lower = middle - self.params.width * self._moments.deviation
        if above(lower, close):
            return self._say(ENTER, close, "below the lower band", lower)
        return STAY

    def why(self) -> str:
        """Say which line was crossed."""
        close, what, level = self._crossed
        return f"close {self.price_text(close)} {what} {self.price_text(level)}"

    def _say(self, signal: int, close: float, what: str, level: float) -> int:
        self._crossed = close, what, level
        return signal
