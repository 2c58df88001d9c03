"""The bot of docs/strategies.md on stops: buy a new high, and let the executor keep the way out."""

from collections import deque
from decimal import Decimal
from typing import Annotated

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.protocol import Decisions, Strategy, Target


class StoppedBotParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Distances in parts of the price that is bought at."""

    lookback: Annotated[int, msgspec.Meta(ge=2, le=500)] = 60
    stop: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.004
    target: Annotated[float, msgspec.Meta(gt=0, lt=10)] = 0.008


class StoppedBot(Strategy):
    """Long or flat; it decides to enter, and nothing else."""

    Params = StoppedBotParams
    uses_stops = True

    def __init__(
        self,
        params: StoppedBotParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        self.symbol, self.instrument = symbol, instrument
        self._order_notional = order_notional
        self._stop = 1 - Decimal(str(params.stop))
        self._target = 1 + Decimal(str(params.target))
        self.warmup_events = params.lookback
        self._closes: deque[Decimal] = deque(maxlen=params.lookback)

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        """Compare the close with those before it, then remember it."""
        before, price = list(self._closes), candle.close
        self._closes.append(price)
        if len(before) < self.warmup_events or position or price <= max(before):
            return None
        return Target(
            notional=self._order_notional,
            reason=f"close {price} above {max(before)}",
            stop_loss=price * self._stop,
            take_profit=price * self._target,
        )
