"""An ensemble: other strategies vote, with weights, and a regime filter silences some of them.

Source: combining forecasts, Bates and Granger (1969), with fixed weights; the regime is told by
Kaufman's efficiency ratio (Trading Systems and Methods, 2013). No edge is claimed.

Rule, at the close of a bar, each member's vote being its last signal (1 enter, -1 leave) if
that is less than `vote_bars` bars old, else 0:

    efficiency  ER(regime_period); a trend from `trend_from` on, below it a range
    heard       the members whose regime it is, and those for any
    score       sum(weight * vote) / sum(weight) of the heard; where nobody is, of all, an
                enter vote counting 0: one must always be able to leave
    buy         score >= enter
    sell all    score <= -leave
    size        order_notional / C

Votes grow old so that what a member said long ago is forgotten by an ensemble built anew and
by the old one alike. Members may be all that are long or flat; a member's own size and capital
play no part.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument
from strategies import build, check_params, names
from strategies.bounds import Bars, Part, refuse
from strategies.long_flat import ENTER, LEAVE, STAY, LongFlat
from strategies.momentum import EfficiencyRatio
from strategies.sizing import price_to_float

VOTERS = (
    "bollinger_reversion",
    "donchian_breakout",
    "macd_trend",
    "rsi_reversion",
    "time_series_momentum",
)
_ROUNDING = 1e-9


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One voter: a registered name, its parameters, its weight, and the regime it is for."""

    uses: str
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    weight: Annotated[float, msgspec.Meta(gt=0, le=1_000)] = 1.0
    regime: Literal["any", "trend", "range"] = "any"


class EnsembleParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Periods in candles; scores, and the efficiency, from 0 to 1."""

    members: Annotated[tuple[Member, ...], msgspec.Meta(min_length=1, max_length=20)]
    vote_bars: Bars = 60
    enter: Part = 0.5
    leave: Part = 0.5
    regime_period: Bars = 60
    trend_from: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3

    def __post_init__(self) -> None:
        """Refuse members that do not exist, do not vote or are set up wrongly."""
        problems = []
        for place, member in enumerate(self.members):
            wrong = _member_problems(member)
            problems += [f"members[{place}]: {text}" for text in wrong]
        refuse(problems)


def _member_problems(member: Member) -> list[str]:
    if member.uses in names() and member.uses not in VOTERS:
        return [f"{member.uses} does not vote (these do: {', '.join(VOTERS)})"]
    if member.uses not in VOTERS:
        return [f'there is no voter "{member.uses}" (there are: {", ".join(VOTERS)})']
    return check_params(member.uses, member.params)


class _Voter:
    """A member and what it said last."""

    def __init__(self, member: Member, strategy: LongFlat, vote_bars: int) -> None:
        self.member = member
        self.strategy = strategy
        self._vote_bars = vote_bars
        self._age = 0
        self.vote = STAY

    def take(self, candle: Candle) -> None:
        signal = self.strategy.signal(candle)
        self._age += 1
        if signal != STAY:
            self.vote, self._age = signal, 0
        elif self._age >= self._vote_bars:
            self.vote = STAY


class Ensemble(LongFlat):
    """See the module."""

    Params = EnsembleParams

    def __init__(
        self,
        params: EnsembleParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        super().__init__(symbol, order_notional, instrument)
        self.params = params
        self._efficiency = EfficiencyRatio(params.regime_period)
        self._voters: list[_Voter] = []
        for member in params.members:
            made = build(member.uses, member.params, symbol, order_notional, instrument)
            assert isinstance(made, LongFlat), "VOTERS are"
            self._voters.append(_Voter(member, made, params.vote_bars))
        self._score = 0.0
        longest = max(voter.strategy.warmup_events for voter in self._voters)
        self.warmup_events = max(longest + params.vote_bars, self._efficiency.warmup_values)

    def signal(self, candle: Candle) -> int:
        """Take every member's vote and count those that are heard."""
        for voter in self._voters:
            voter.take(candle)
        efficiency = self._efficiency.update(price_to_float(candle.close))
        if efficiency != efficiency:
            return STAY
        regime = "trend" if efficiency >= self.params.trend_from else "range"
        score = self._score = self._counted(("any", regime))
        if score >= self.params.enter - _ROUNDING:
            return ENTER
        return LEAVE if score <= -self.params.leave + _ROUNDING else STAY

    def _counted(self, regimes: tuple[str, str]) -> float:
        heard = [voter for voter in self._voters if voter.member.regime in regimes]
        if heard:
            total = sum(voter.member.weight * voter.vote for voter in heard)
            return total / sum(voter.member.weight for voter in heard)
        total = sum(voter.member.weight * min(voter.vote, STAY) for voter in self._voters)
        return total / sum(voter.member.weight for voter in self._voters)

    def why(self) -> str:
        """Say how they voted."""
        efficiency = f"efficiency {self._efficiency.value:.3f}"
        return f"score {self._score:+.3f} of {len(self._voters)} members, {efficiency}"
