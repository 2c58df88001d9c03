"""Two simple moving averages of the close: buy when the fast one comes above, sell below.

Source: older than its writers; Brock, Lakonishok and LeBaron, Simple Technical Trading Rules and
the Stochastic Properties of Stock Returns, Journal of Finance 47 (1992), has it as it is here. No
edge is claimed.

Rule, at the close C of a bar, with SMA(n) the mean of the last n closes, the newest included:

    buy         SMA(fast) > SMA(slow), and it was not above at the bar before
    sell all    SMA(fast) < SMA(slow)
    size        order_notional / C

Parameters: `fast` and `slow`, in candles. Level is neither above nor below.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice, repeat
from operator import gt, indexOf, lt, truediv

from messages.ids import Symbol
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
        self._ahead: _Ahead | None = None
        self.warmup_events = params.slow

    def on_close(self, close: Decimal, position: Decimal) -> Sequence[Decision]:
        """See `protocol.DecidesOnCloses`."""
        price, ahead = price_to_float(close), self._ahead
        now = None if ahead is None else ahead.side_of(price)
        if now is None:
            if ahead is not None and not ahead.left_behind(price, self._fast, self._slow):
                ahead = self._ahead = None
            self._fast.update(price)
            self._slow.update(price)
            now = sma_relation(self._fast, self._slow)
        if now is None or (now == self._relation and (now >= 0 or position <= 0)):
            return ()
        fast, slow = (self._fast.value, self._slow.value) if ahead is None else ahead.means()
        return self.cross(now, close, position, fast, slow)

    def pass_closes(self, closes: Sequence[float], start: int) -> int:
        """Take closes up to a change of relation; see `protocol.PassesCloses`."""
        relation, ahead = self._relation, self._ahead
        if ahead is None or ahead.closes is not closes or ahead.at != start:
            if ahead is not None:
                ahead.bring(self._fast, self._slow)
                self._ahead = None
            if self._slow.missing:
                return self.warm_up(self._fast, self._slow, closes, start)
            if not relation:
                return start
            ahead = self._ahead = _Ahead(closes, start, self._fast, self._slow)
        return ahead.pass_by(above=relation > 0) if relation else start


class _Ahead:
    """Both sums after each close of a block from a place on, and on which side the fast mean is.

    They follow from the closes alone, whatever is decided, so they are reckoned once a block and
    column by column: operation by operation as `on_close` does it. The indicators themselves
    stay behind until they are needed (`bring`).
    """

    __slots__ = (
        "_brought",
        "_is_sound",
        "_looked",
        "_over",
        "_periods",
        "_ratios",
        "_start",
        "_totals",
        "_under",
        "at",
        "closes",
    )

    def __init__(self, closes: Sequence[float], start: int, fast: Sma, slow: Sma) -> None:
        rest = list(closes[start:])
        self.closes, self.at = closes, start
        self._start = self._brought = self._looked = start
        self._totals = fast.totals_after(rest), slow.totals_after(rest)
        self._periods = fast.period, slow.period
        # A line wider than that of `sma_relation`, by far more than roundings: what is beyond it is
        # on that side for sure. Below a price of 0 nothing is sure.
        self._is_sound = bool(rest) and min(self._totals[1]) > 0
        level = fast.period / slow.period
        self._over, self._under = level * (1 + 2 * DOUBT), level * (1 - 2 * DOUBT)
        # Of the closes from `_looked` on: each is made, looked at once, and gone.
        self._ratios: Iterator[float] = map(truediv, *self._totals)

    def pass_by(self, *, above: bool) -> int:
        """Go on to the first place where the relation may be another, and give it."""
        if not self._is_sound:
            return self.at
        if self._looked != self.at:
            rest = (islice(totals, self.at - self._start, None) for totals in self._totals)
            self._ratios = map(truediv, *rest)
        if above:
            surely = map(gt, self._ratios, repeat(self._over))
        else:
            surely = map(lt, self._ratios, repeat(self._under))
        try:
            self.at += indexOf(surely, False)  # noqa: FBT003 - it is what is looked for
            self._looked = self.at + 1
        except ValueError:  # all the rest is
            self.at = self._looked = len(self.closes)
        return self.at

    def side_of(self, close: float) -> int | None:
        """Go on past one close, if its relation is sure and it is the one reckoned with."""
        at = self.at
        if not self._is_sound or at == len(self.closes) or self.closes[at] != close:
            return None
        fast, slow = self._totals
        place = at - self._start
        ratio = fast[place] / slow[place]
        if ratio > self._over:
            side = 1
        elif ratio < self._under:
            side = -1
        else:
            return None
        self.at = at + 1
        return side

    def left_behind(self, close: float, fast: Sma, slow: Sma) -> bool:
        """Bring the indicators to before a close that they are to take, and go on past it.

        False if it is another than was reckoned with: then all this is worth nothing.
        """
        self.bring(fast, slow)
        at = self.at
        self.at = self._brought = at + 1
        return at < len(self.closes) and self.closes[at] == close

    def means(self) -> tuple[float, float]:
        """Give both means after the last close."""
        place = self.at - 1 - self._start
        (fast, slow), (fast_period, slow_period) = self._totals, self._periods
        return fast[place] / fast_period, slow[place] / slow_period

    def bring(self, fast: Sma, slow: Sma) -> None:
        """Let the indicators take all closes that are behind."""
        at, brought = self.at, self._brought
        if at == brought:
            return
        newest, place = self.closes[max(at - self._periods[1], brought) : at], at - 1 - self._start
        for mean, totals in zip((fast, slow), self._totals, strict=True):
            mean.went_on(newest, at - brought, totals[place])
        self._brought = at
