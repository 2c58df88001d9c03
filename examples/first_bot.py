"""The bot of docs/tutorial.md: buy a new high of five-minute closes, leave on a new low."""

from collections import deque
from decimal import Decimal
from typing import Annotated

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.protocol import Decisions, Strategy, Target


class FirstBotParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the config may set, with its bounds."""

    lookback: Annotated[int, msgspec.Meta(ge=2, le=500)] = 12


class FirstBot(Strategy):
    """Long or flat."""

    Params = FirstBotParams
    timeframes = ("5m",)

    def __init__(
        self,
        params: FirstBotParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        self.symbol, self.instrument = symbol, instrument
        self.warmup_bars = {"5m": params.lookback}
        self._order_notional = order_notional
        self._closes: deque[Decimal] = deque(maxlen=params.lookback)

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal) -> Decisions:
        """Compare the close with those before it, then remember it."""
        before = list(self._closes)
        self._closes.append(bar.close)
        if len(before) < self.warmup_bars["5m"]:
            return None
        if bar.close > max(before) and position == 0:
            reason = f"{timeframe} close {bar.close} above {max(before)}"
            return Target(notional=self._order_notional, reason=reason)
        if bar.close < min(before) and position > 0:
            return Target(Decimal(0), f"{timeframe} close {bar.close} below {min(before)}")
        return None
