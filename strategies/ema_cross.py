"""Two exponential moving averages of the close: buy when the fast one comes above, sell below.

Source: the crossover of `sma_cross`, with the means of Robert G. Brown, Statistical Forecasting for
Inventory Control (1959), which never forget all at once. No edge is claimed.

Rule, at the close C of a bar, with EMA(n) = EMA(n) before + 2 / (n + 1) * (C - EMA(n) before),
begun at the first close:

    buy         EMA(fast) > EMA(slow), and it was not above at the bar before
    sell all    EMA(fast) < EMA(slow)
    size        order_notional / C

Parameters: `fast` and `slow`, in candles. Nearer than one part in 10**14 is level, neither above
nor below.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import islice

from messages.ids import Symbol
from messages.values import Instrument
from strategies.crossover import Crossover, CrossParams
from strategies.indicators import DOUBT, Ema, relation
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

    def on_close(self, close: Decimal, position: Decimal) -> Sequence[Decision]:
        """See `protocol.DecidesOnCloses`."""
        price = price_to_float(close)
        fast = self._fast.update(price)
        slow = self._slow.update(price)
        now = relation(fast, slow)
        if now is None or (now == self._relation and (now >= 0 or position <= 0)):
            return ()
        return self.cross(now, close, position, fast, slow)

    def pass_closes(self, closes: Sequence[float], start: int) -> int:
        """Take closes up to a change of relation; see `protocol.PassesCloses`."""
        fast, slow, sign = self._fast, self._slow, self._relation
        if slow.missing:
            return self.warm_up(fast, slow, closes, start)
        if not sign:
            return start
        fast_mean, fast_weight = fast.value, fast.weight
        slow_mean, slow_weight = slow.value, slow.weight
        taken = 0
        for close in islice(closes, start, None):
            fast_next = fast_mean + fast_weight * (close - fast_mean)
            slow_next = slow_mean + slow_weight * (close - slow_mean)
            # Wider than `relation` draws the line: what is near it, `on_close` judges.
            if not sign * (fast_next - slow_next) > DOUBT * slow_next:
                break
            fast_mean, slow_mean = fast_next, slow_next
            taken += 1
        if taken:
            fast.went_on(taken, fast_mean)
            slow.went_on(taken, slow_mean)
        return start + taken
