"""Two exponential moving averages of the close: buy when the fast one comes above, sell below."""

from collections.abc import Sequence
from decimal import Decimal

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.crossover import Crossover, CrossParams
from strategies.indicators import Ema, relation
from strategies.protocol import Decision
from strategies.sizing import price_to_float


class EmaCross(Crossover):
    """See `Crossover`. Silent until the slow mean has seen its period."""

    mean_name = "ema"

    def __init__(
        self, params: CrossParams, symbol: Symbol, order_notional: Decimal, instrument: Instrument
    ) -> None:
        super().__init__(params, symbol, order_notional, instrument)
        self._fast = Ema(params.fast)
        self._slow = Ema(params.slow)
        self.warmup_events = self._slow.warmup_values

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        """Take a close; most of them only move the means."""
        close = price_to_float(candle.close)
        fast = self._fast.update(close)
        slow = self._slow.update(close)
        now = relation(fast, slow)
        if now is None or now == self._relation:
            return ()
        return self.cross(now, candle, position, fast, slow)
