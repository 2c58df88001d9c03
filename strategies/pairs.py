"""Pairs: two markets that move together; buy the cheap one and sell the dear one, in one step.

Source: Gatev, Goetzmann and Rouwenhorst, Pairs Trading, Review of Financial Studies 19 (2006);
the hedge ratio by regression is Engle and Granger's first step (1987), on a rolling window. No
edge is claimed, and nothing here tests whether the two belong together.

Rule, when both symbols, A the first and B the second, have told a candle of one close, over the
last `lookback` such moments, with y = ln A and x = ln B:

    spread      s = y - beta * x;  beta = cov(x, y) / var(x), or 1 with hedge = "one"
    z           (s - mean(s)) / deviation(s), the newest included
    buy A, sell B       z <= -entry
    sell A, buy B       z >= entry
                both only if |z| was below `stop` for `lookback` moments, and 0.2 <= beta <= 5
    leave both  z >= -leave with A bought, z <= leave with A sold, or |z| >= stop
    size        A: order_notional * min(1, 1 / beta), B: order_notional * min(1, beta)

The legs are not traded anew when beta moves. One leg is sold without having been bought: on a
spot account that needs coins which are there (`venue.balances` on paper, `[risk] allow_short` at
a real exchange).

**No leg stays alone.** Both legs are decided in one moment, and neither if one would be too small
for the venue. If one is refused by risk, rejected, or ends unfilled in part, both are left at the
next candle of either symbol, by what is really held; then nothing is entered before |z| <= leave.
The same is done when a new process finds one leg alone. Between the refusal and that candle, and
for as long as the exchange takes no exit, one leg is alone. A recording that is replayed ahead of
its orders (`feed.window`) tells of a refusal late: `feed.batch = 1` and `feed.window = 1` tell it
before the next candle, as a backtest does. A recording that is begun again after the venue, not
risk, has ended a leg is begun in a new run directory: the second process is not told of that.
"""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from math import log, nan, sqrt
from typing import Annotated, Literal

import msgspec

from messages.exact import NOTHING
from messages.ids import OrderKey, Symbol, TimestampNs
from messages.learning import learn
from messages.market import Candle
from messages.orders import OrderUpdate
from messages.values import Instrument
from strategies.bounds import refuse
from strategies.position_sizing import steady
from strategies.protocol import Strategy, Target
from strategies.regression import Regression
from strategies.rolling import Highest, ZScore
from strategies.sizing import price_to_float, quantity_for_notional
from strategies.unfilled import Unfilled

_LEAST_BETA, _MOST_BETA = 0.2, 5.0
_LEGS = 2

Score = Annotated[float, msgspec.Meta(gt=0, le=20)]


class PairsParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lookback` in moments that both markets told; scores in deviations of the spread."""

    lookback: Annotated[int, msgspec.Meta(ge=10, le=10_000)] = 720
    entry: Score = 2.0
    leave: Annotated[float, msgspec.Meta(ge=0, le=20)] = 0.5
    stop: Score = 4.0
    hedge: Literal["ols", "one"] = "ols"

    def __post_init__(self) -> None:
        """Refuse scores that are out of order, or that no window of this length can reach."""
        problems = []
        if not self.leave < self.entry < self.stop:
            told = f"{self.leave}, {self.entry} and {self.stop}"
            problems.append(f"leave must be less than entry, and entry less than stop, not {told}")
        reach = (self.lookback - 1) / sqrt(self.lookback)
        if self.entry >= reach:
            text = f"entry must be less than {reach:.2f}, which a score over {self.lookback}"
            problems.append(f"{text} moments can reach, not {self.entry}")
        refuse(problems)


class _Kept(msgspec.Struct, array_like=True):
    """A snapshot."""

    points: list[tuple[float, float]]
    scores: list[float]
    closes: dict[Symbol, tuple[TimestampNs, Decimal]]
    unfilled: dict[Symbol, Decimal]
    counted: list[OrderKey]
    is_broken: bool


learn(_Kept)


class Pairs(Strategy):
    """See the module."""

    Params = PairsParams

    def __init__(
        self,
        params: PairsParams,
        symbol: Symbol,  # noqa: ARG002 - it has those of both legs
        order_notional: Decimal,
        instrument: Instrument,  # noqa: ARG002 - it has those of both legs
    ) -> None:
        if len(self.symbols) != _LEGS:
            told = ", ".join(self.symbols)
            raise ValueError(f'needs two, such as symbols = ["BTC/USDT", "ETH/USDT"], not {told}')
        self.params = params
        self._first, self._second = self.symbols
        quotes = [one.quote for one in self.instruments.values()]
        if len(set(quotes)) > 1:
            raise ValueError(f"both symbols must be paid in one currency, not {', '.join(quotes)}")
        self._notional = order_notional
        self._closes: dict[Symbol, tuple[TimestampNs, Decimal]] = {}
        self._unfilled = Unfilled()
        self._is_broken = False
        """Whether an order ended unfilled since the spread was last near its mean."""
        self._points: deque[tuple[float, float]] = deque(maxlen=params.lookback)
        self._scores: deque[float] = deque(maxlen=params.lookback)
        self._line, self._gap = Regression(params.lookback), ZScore(params.lookback)
        self._farthest = Highest(params.lookback)
        self._z = self._beta = nan
        # Twice the lookback, and a quarter of it more for moments that only one market told.
        self.warmup_events = 2 * params.lookback + params.lookback // 4

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Target]:  # noqa: ARG002 - it has those of both legs
        """Decide when the second of the two closes of one moment is there."""
        self._closes[candle.symbol] = candle.ts_event_ns, candle.close
        has_score = self._take_moment()
        if len(self._closes) < _LEGS:
            return ()
        if self._must_mend():
            return self._mend()
        return self._decide() if has_score else ()

    def on_update(self, update: OrderUpdate) -> None:
        """Note what will never be held."""
        if self._unfilled.take(update):
            self._is_broken = True

    # ------------------------------------------------------------ the rule

    def _decide(self) -> Sequence[Target]:
        z, params, side = self._z, self.params, self._side()
        if side:
            is_over = side * z >= -params.leave or abs(z) >= params.stop
            return self._leave(self._why()) if is_over else ()
        if abs(z) <= params.leave:
            self._is_broken = False
        is_calm = self._farthest.value < params.stop
        fits = _LEAST_BETA <= self._beta <= _MOST_BETA
        if self._is_broken or not is_calm or not fits or abs(z) < params.entry:
            return ()
        return self._enter(1 if z < 0 else -1)

    def _enter(self, side: int) -> Sequence[Target]:
        first = self._quantity(self._first, min(1.0, 1 / self._beta))
        second = self._quantity(self._second, min(1.0, self._beta))
        if not first or not second:
            return ()
        return (
            Target(side * first, self._why(), symbol=self._first),
            Target(-side * second, self._why(), symbol=self._second),
        )

    def _leave(self, reason: str) -> Sequence[Target]:
        return tuple(Target(NOTHING, reason, symbol=symbol) for symbol in self.symbols)

    def _must_mend(self) -> bool:
        """Whether something counts as held that is not, or is held and is no pair."""
        if any(self._unfilled.of(symbol) for symbol in self.symbols):
            return True
        first, second = self._held(self._first), self._held(self._second)
        return bool(first or second) and first * second >= 0

    def _mend(self) -> Sequence[Target]:
        """Leave what is held; and where nothing is, let the position be nothing too.

        Of that leaving there is nothing to send: risk refuses it (`nothing_held`), and both agree.
        """
        reason = "a leg did not fill" if self._is_broken else "one leg is alone"
        return tuple(
            Target(self._unfilled.of(one) if self._held(one) else NOTHING, reason, symbol=one)
            for one in self.symbols
        )

    def _quantity(self, symbol: Symbol, part: float) -> Decimal:
        close, grid = self._closes[symbol][1], self.instruments[symbol]
        return quantity_for_notional(self._notional * steady(part), close, grid)

    # ------------------------------------------------------------ what is so

    def _held(self, symbol: Symbol) -> Decimal:
        return self.positions[symbol] - self._unfilled.of(symbol)

    def _side(self) -> int:
        """1 with A bought, -1 with A sold, 0 with nothing."""
        held = self._held(self._first)
        return (held > 0) - (held < 0)

    def _take_moment(self) -> bool:
        """Take the two closes as a point, if they are of one moment; whether that may decide."""
        if len(self._closes) < _LEGS:
            return False
        (first_ns, first), (second_ns, second) = (self._closes[one] for one in self.symbols)
        if first_ns != second_ns:
            return False
        self._z = self._score(log(price_to_float(second)), log(price_to_float(first)))
        if self._z == self._z:
            self._scores.append(abs(self._z))
            self._farthest.update(abs(self._z))
        return self._farthest.value == self._farthest.value

    def _score(self, x: float, y: float) -> float:
        self._points.append((x, y))
        if self.params.hedge == "one":
            self._beta = 1.0
            return self._gap.update(y - x)
        self._beta = self._line.update(x, y)
        return self._line.score

    def _why(self) -> str:
        return f"z {self._z:+.3f} of the spread, beta {self._beta:.3f}"

    # ------------------------------------------------------------ what outlives it

    def snapshot(self) -> bytes:
        """Give the window, and what was never filled, which no warm-up gives back."""
        unfilled, counted = self._unfilled.dump()
        kept = _Kept(
            points=list(self._points),
            scores=list(self._scores),
            closes=self._closes,
            unfilled=unfilled,
            counted=counted,
            is_broken=self._is_broken,
        )
        return msgspec.msgpack.encode(kept)

    def restore(self, data: bytes) -> None:
        """Go back to it."""
        kept = msgspec.msgpack.decode(data, type=_Kept)
        for x, y in kept.points:
            self._z = self._score(x, y)
        for score in kept.scores:
            self._scores.append(score)
            self._farthest.update(score)
        self._closes, self._is_broken = kept.closes, kept.is_broken
        self._unfilled.load(kept.unfilled, kept.counted)
