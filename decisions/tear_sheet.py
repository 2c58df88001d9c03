"""What a run did in one currency: curve, figures and trades, in whole and in parts. Pure.

A backtest and a run that was real are the same here: prices by symbol, and executions.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from decisions.equity_walk import EquityWalk
from decisions.performance_figures import Figures, figures
from decisions.performance_of_trades import TradeFigures, trade_figures
from decisions.performance_trials import Deflated, deflated_sharpe
from decisions.round_trips import Executed, RoundTrip, RoundTrips
from decisions.thinned import Thinned
from decisions.valued import Lane, Stretch, Values, added_up, parted

CURVE = ("profit", "drawdown", "hold", "hold_drawdown", "held")
"""The columns of a sheet's curve."""


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """How many ways were tried before this one was shown, as far as anybody told."""

    count: int = 1
    variance: float | None = None
    """Of their Sharpe ratios, each of one day."""
    is_told: bool = False
    """Whether somebody said so: nobody else can know."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run, or what was before a moment, or what was after it."""

    name: str
    """``whole``, ``in sample`` or ``out of sample``."""
    figures: Figures
    trades: TradeFigures
    """Of those that ended in it."""
    executions: int
    exposure: float
    """The part of all moments with a price after which something was held, of any symbol."""
    turnover: Decimal
    """The value of all that was bought and sold."""
    fees: Decimal
    hold: Figures | None
    """Of holding what was bought at the first price of all; None where nobody looked."""


class Sheet(msgspec.Struct, kw_only=True):
    """One quote currency."""

    quote: str
    capital: float
    parts: list[Part]
    """The whole; and where it was split, the two parts."""
    split_ns: int | None
    curve: Thinned
    """Its columns are `CURVE`."""
    days: dict[int, float]
    deflated: Deflated | None
    lanes: list[Lane]
    trips: RoundTrips
    trip_of: list[int]
    """Of each execution, the number of its trade."""
    executions: list[Executed]
    still_open: list[RoundTrip]
    other_fees: dict[str, Decimal]
    """In a third currency, and so in no profit."""


def sheet_of(
    quote: str,
    lanes: Sequence[Lane],
    executions: Sequence[Executed],
    *,
    capital: float,
    split_ns: int | None = None,
    trials: Trials | None = None,
) -> Sheet:
    """Go through the lanes of one currency, once; `executions` are theirs, in the order of time."""
    curve = Thinned(len(CURVE))
    is_split = split_ns is not None
    walks, holds = _Walks(capital, is_split=is_split), _Walks(capital, is_split=is_split)
    held_events = [0, 0]
    for times_ns, (profit, hold, held, symbols) in _split(
        added_up([one.values() for one in lanes]), split_ns
    ):
        part = 0 if split_ns is None or times_ns[0] <= split_ns else 1
        falls, hold_falls = walks.take(part, times_ns, profit), holds.take(part, times_ns, hold)
        held_events[part] += len(symbols) - symbols.count(0.0)
        curve.take(times_ns, [profit, falls, hold, hold_falls, held])
    trips = RoundTrips()
    trip_of = [trips.take(one) for one in executions]
    prices = {lane.symbol: Decimal(repr(lane.last_price)) for lane in lanes}
    found = Sheet(
        quote=quote,
        capital=capital,
        parts=[],
        split_ns=split_ns,
        curve=curve,
        days=walks.whole.days,
        deflated=_deflated(walks.whole, trials or Trials()),
        lanes=list(lanes),
        trips=trips,
        trip_of=trip_of,
        executions=list(executions),
        still_open=trips.open(prices),
        other_fees=_other_fees(lanes),
    )
    found.parts = list(_parts(found, walks, holds, held_events))
    return found


class _Walks:
    """One curve in whole and in its two parts."""

    def __init__(self, capital: float, *, is_split: bool) -> None:
        self.whole, self._is_split = EquityWalk(capital), is_split
        self.parts: list[EquityWalk | None] = [None, None]

    def take(self, part: int, times_ns: Sequence[int], profits: Sequence[float]) -> list[float]:
        if self._is_split:
            self._part(part).take(times_ns, profits)
        return self.whole.take(times_ns, profits)

    def _part(self, part: int) -> EquityWalk:
        walk = self.parts[part]
        if walk is None:
            # The second part begins with what the first one left.
            walk = self.parts[part] = EquityWalk(self.whole.capital, self.whole.last)
        return walk


def _split(blocks: Iterator[Values], split_ns: int | None) -> Iterator[Values]:
    for times_ns, columns in blocks:
        for _, start, stop in parted(times_ns, split_ns):
            yield times_ns[start:stop], [column[start:stop] for column in columns]


def _parts(
    sheet: Sheet, walks: _Walks, holds: _Walks, held_events: Sequence[int]
) -> Iterator[Part]:
    both, trips = [_both(*lane.stretches) for lane in sheet.lanes], sheet.trips.ended
    all_held, still = sum(held_events), len(sheet.still_open)
    yield _part("whole", walks.whole, holds.whole, all_held, both, trips, still)
    if sheet.split_ns is None:
        return
    for number, name in enumerate(("in sample", "out of sample")):
        walk, hold = walks.parts[number], holds.parts[number]
        if walk is None or hold is None:
            continue
        ended = [
            one
            for one in sheet.trips.ended
            if ((one.closed_ns or 0) > sheet.split_ns) == bool(number)
        ]
        stretches = [lane.stretches[number] for lane in sheet.lanes]
        open_then = sum(
            one.opened_ns <= sheet.split_ns < (one.closed_ns or sheet.split_ns + 1)
            for one in (*sheet.trips.ended, *sheet.still_open)
        )
        still = len(sheet.still_open) if number else open_then
        yield _part(name, walk, hold, held_events[number], stretches, ended, still)


def _part(
    name: str,
    walk: EquityWalk,
    hold: EquityWalk,
    held_events: int,
    stretches: Sequence[Stretch],
    ended: Sequence[RoundTrip],
    still_open: int,
) -> Part:
    return Part(
        name=name,
        figures=figures(walk),
        trades=trade_figures(ended, still_open),
        executions=sum(one.executions for one in stretches),
        exposure=held_events / walk.events if walk.events else 0.0,
        turnover=sum((one.turnover for one in stretches), start=Decimal(0)),
        fees=sum((one.fees for one in stretches), start=Decimal(0)),
        hold=figures(hold),
    )


def _both(first: Stretch, second: Stretch) -> Stretch:
    return Stretch(
        events=first.events + second.events,
        held_events=first.held_events + second.held_events,
        executions=first.executions + second.executions,
        turnover=first.turnover + second.turnover,
        fees=first.fees + second.fees,
        net=first.net + second.net,
    )


def _deflated(walk: EquityWalk, trials: Trials) -> Deflated | None:
    return deflated_sharpe(walk.returns(), trials.count, trials.variance)


def _other_fees(lanes: Sequence[Lane]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for lane in lanes:
        for currency, fee in lane.portfolio.other_fees.items():
            found[currency] = found.get(currency, Decimal(0)) + fee
    return found
