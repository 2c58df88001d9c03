"""Two simple moving averages of the close: buy when the fast one comes above, sell below."""

from collections.abc import Sequence
from decimal import Decimal

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.crossover import Crossover, CrossParams
from strategies.indicators import Sma, sma_relation
from strategies.protocol import Decision
from strategies.sizing import price_to_float


class SmaCross(Crossover):
    """See `Crossover`. Decides as exact arithmetic would (`indicators.sma_relation`)."""

    mean_name = "sma"

    def __init__(
        self, params: CrossParams, symbol: Symbol, order_notional: Decimal, instrument: Instrument
    ) -> None:
        super().__init__(params, symbol, order_notional, instrument)
        self._fast = Sma(params.fast)
        self._slow = Sma(params.slow)
        self.warmup_events = params.slow

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        """Take a close; most of them only move the means."""
        close = price_to_float(candle.close)
        fast = self._fast.update(close)
        slow = self._slow.update(close)
        now = sma_relation(self._fast, self._slow)
        if now is None or now == self._relation:
            return ()
        return self.cross(now, candle, position, fast, slow)
