"""Donchian breakout with an ATR stop: buy a new high, sell a new low or a fall of some ATRs.

Source: Richard Donchian's channel; the exit channel and the size are the Turtles' (Curtis
Faith, Way of the Turtle, 2007), the stop is Chuck LeBeau's chandelier. No edge is claimed.

Rule, at the close C of a bar, channel and ATR being those of the bars before it:

    buy         C > highest high of `entry` bars
    sell all    C < lowest low of `exit` bars
                or C < highest high of `exit` bars - stop_atrs * ATR(atr_period)
    size        min(risk * capital / (stop_atrs * ATR), capital / C, order_notional / C)

The stop hangs from the market, not from the price paid, which a strategy built anew does not
know. It is decided here, at closes: within a bar, and while the process is down, it does not act.

It is not declared as a stop that the executor keeps (`uses_stops`), for that is of another rule:
it stands where the entry put it, or follows the best price since the entry by a distance that was
fixed then. This one is laid anew at each close, by that bar's ATR and window, up or down. And in
an ensemble it is a vote to leave, where there is no position of its own that a stop could leave.
"""

from decimal import Decimal

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.bounds import Bars, Multiple, Part, SmoothedBars, capital_problems, refuse
from strategies.long_flat import ENTER, LEAVE, STAY, LongFlat, above
from strategies.position_sizing import atr_risk
from strategies.rolling import Donchian
from strategies.sizing import price_to_float
from strategies.wilder import Atr


class DonchianParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Periods in candles; `risk` a fraction of `capital`, which is in quote currency."""

    entry: Bars = 20
    exit: Bars = 10
    atr_period: SmoothedBars = 20
    stop_atrs: Multiple = 3.0
    risk: Part = 0.01
    capital: Decimal | None = None
    """What this strategy may reckon with; the order_notional where it is not given."""

    def __post_init__(self) -> None:
        """Refuse an exit channel longer than the entry's: it could sell what it has just bought."""
        problems = capital_problems(self.capital)
        if self.exit > self.entry:
            problems.append(f"exit must be at most entry ({self.entry}), not {self.exit}")
        refuse(problems)


class DonchianBreakout(LongFlat):
    """See the module."""

    Params = DonchianParams

    def __init__(
        self,
        params: DonchianParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        super().__init__(symbol, order_notional, instrument)
        self.params = params
        self._enter = Donchian(params.entry)
        self._leave = Donchian(params.exit)
        self._atr = Atr(params.atr_period)
        self._stop_distance = 0.0
        self._crossed = (0.0, "", 0.0)
        self.warmup_events = max(params.entry, self._atr.warmup_values)

    def signal(self, candle: Candle) -> int:
        """Compare the close with the channels and the stop of the bars before it."""
        high, low = price_to_float(candle.high), price_to_float(candle.low)
        close = price_to_float(candle.close)
        upper, lower = self._enter.upper, self._leave.lower
        distance = self._stop_distance = self.params.stop_atrs * self._atr.value
        stop = self._leave.upper - distance
        self._enter.update(high, low)
        self._leave.update(high, low)
        self._atr.update(high, low, close)
        if distance != distance or upper != upper:
            return STAY
        if close < lower:
            return self._say(LEAVE, close, "below the lowest low", lower)
        if above(stop, close):
            return self._say(LEAVE, close, "below the stop", stop)
        if close > upper:
            return self._say(ENTER, close, "above the highest high", upper)
        return STAY

    def quantity(self, close: Decimal) -> Decimal:
        """Give what loses `risk` of the capital at the stop, and at most the order_notional."""
        capital = self.params.capital or self._order_notional
        sized = atr_risk(capital, self.params.risk, self._stop_distance, close, self._instrument)
        return min(sized, super().quantity(close))

    def why(self) -> str:
        """Say which line was crossed."""
        close, what, level = self._crossed
        return f"close {self.price_text(close)} {what} {self.price_text(level)}"

    def _say(self, signal: int, close: float, what: str, level: float) -> int:
        self._crossed = close, what, level
        return signal
