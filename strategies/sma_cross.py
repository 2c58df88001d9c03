"""Two simple moving averages of the close: buy when the fast one comes above, sell below."""

from collections.abc import Sequence
from decimal import Decimal

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies.crossover import Crossover, CrossParams
from strategies.indicators import DOUBT, Sma, sma_relation
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
        if now is None or (now == self._relation and (now >= 0 or position <= 0)):
            return ()
        return self.cross(now, candle, position, fast, slow)

    def pass_closes(self, closes: Sequence[float], start: int) -> int:
        """Take closes up to a change of relation; see `protocol.PassesCloses`."""
        at_once = _FIRST
        while start < len(closes):
            taken = self._pass_some(closes, start, at_once)
            if not taken:
                break
            start += taken
            at_once = _THEN
        return start

    def _pass_some(self, closes: Sequence[float], start: int, at_once: int) -> int:
        """As `on_candle` would, operation by operation, as long as the relation surely stays."""
        fast, slow, relation = self._fast, self._slow, self._relation
        # Where a sum is due to be taken anew, `on_candle` does it.
        count = min(fast.steps_left, slow.steps_left, at_once)
        some = list(closes[start : start + count])
        if not relation or not some or slow.value != slow.value:
            return 0
        periods = self.params.fast, self.params.slow
        series = (some, fast.oldest(count) + some, slow.oldest(count) + some)
        if relation > 0:
            taken, *totals = _stays_above(series, periods, fast.total, slow.total)
        else:
            taken, *totals = _stays_below(series, periods, fast.total, slow.total)
        if taken:
            newest = some[max(taken - periods[1], 0) : taken]
            fast.went_on(newest, taken, totals[0])
            slow.went_on(newest, taken, totals[1])
        return taken


_FIRST, _THEN = 64, 256
"""Closes looked at together: where a relation changes sooner, what is beyond was for nothing."""

_Series = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""Closes, and those that leave the fast and the slow window as each of them comes."""


def _stays_above(
    series: _Series, periods: tuple[int, int], fast_total: float, slow_total: float
) -> tuple[int, float, float]:
    fast_period, slow_period = periods
    taken = 0
    for close, left_fast, left_slow in zip(*series, strict=False):
        fast_next = fast_total + (close - left_fast)
        slow_next = slow_total + (close - left_slow)
        slow_mean = slow_next / slow_period
        if not fast_next / fast_period - slow_mean > DOUBT * slow_mean:
            break
        fast_total, slow_total = fast_next, slow_next
        taken += 1
    return taken, fast_total, slow_total


def _stays_below(
    series: _Series, periods: tuple[int, int], fast_total: float, slow_total: float
) -> tuple[int, float, float]:
    fast_period, slow_period = periods
    taken = 0
    for close, left_fast, left_slow in zip(*series, strict=False):
        fast_next = fast_total + (close - left_fast)
        slow_next = slow_total + (close - left_slow)
        slow_mean = slow_next / slow_period
        if not fast_next / fast_period - slow_mean < -DOUBT * slow_mean:
            break
        fast_total, slow_total = fast_next, slow_next
        taken += 1
    return taken, fast_total, slow_total
