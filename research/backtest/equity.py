"""The equity of one quote currency at each price of its markets, in floats and in flat memory.

For statistics only, as indicators are: money itself is the portfolio's, in Decimal.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial, reduce
from itertools import chain, repeat
from operator import add, sub

from decisions.equity_walk import EquityWalk

_Points = tuple[Sequence[int], Sequence[float]]
"""Times and, for each of them, profit."""
_NO_POINTS: _Points = ((), ())


class EquityMeter:
    """Adds up the profit of several markets, each of which tells it block by block."""

    def __init__(self, places: Iterable[int], capital: float = 0.0) -> None:
        self._waiting: dict[int, deque[_Points]] = {place: deque() for place in places}
        self._told_until = dict.fromkeys(self._waiting, -1)
        self._latest = dict.fromkeys(self._waiting, 0.0)
        self.walk = EquityWalk(capital)
        """How the sum of them went."""

    @property
    def drawdown(self) -> float:
        """The deepest fall from a peak; the beginning is a peak."""
        return self.walk.drawdown

    @property
    def days(self) -> dict[int, float]:
        """The last equity of each UTC day that has one, by its number since 1970."""
        return self.walk.days

    def take(self, place: int, times_ns: Sequence[int], profits: Sequence[float]) -> None:
        """Take what came next at one market."""
        if not times_ns:
            return
        if len(self._waiting) == 1:
            self.walk.pass_by(times_ns, profits)
            return
        self._waiting[place].append((times_ns, profits))
        self._told_until[place] = times_ns[-1]
        self._add_up()

    def end(self, place: int) -> None:
        """Nothing more comes from one market: its last profit stays."""
        self._told_until.pop(place, None)
        self._add_up()

    def _add_up(self) -> None:
        """Walk as far as all markets have told."""
        until = min(self._told_until.values(), default=None)
        parts = {place: _cut(waiting, until) for place, waiting in self._waiting.items()}
        parts = {place: points for place, points in parts.items() if points[0]}
        if not parts:
            return
        together = [points[0] for points in parts.values()]
        times = together[0]
        curves: list[Iterable[float]] = [points[1] for points in parts.values()]
        if len(parts) < len(self._waiting) or any(other != times for other in together):
            times = list(dict.fromkeys(sorted(chain.from_iterable(together))))
            place_of = dict(zip(times, range(len(times)), strict=True))
            curves = [
                _stretched(latest, parts.get(place, _NO_POINTS), place_of)
                for place, latest in self._latest.items()
            ]
        self._latest |= {place: points[1][-1] for place, points in parts.items()}
        self.walk.pass_by(times, list(reduce(partial(map, add), curves)))


def _stretched(latest: float, points: _Points, place_of: dict[int, int]) -> Iterable[float]:
    """Give the profit of one market at each of the times of all: its last one lasts."""
    places = list(map(place_of.__getitem__, points[0]))
    lengths = map(sub, chain(places, (len(place_of),)), chain((0,), places))
    return chain.from_iterable(map(repeat, chain((latest,), points[1]), lengths))


def _cut(waiting: deque[_Points], until: int | None) -> _Points:
    """Take what is not after `until`; None takes all."""
    if len(waiting) == 1 and (until is None or waiting[0][0][-1] <= until):
        return waiting.popleft()  # as it is: nothing is copied
    times: list[int] = []
    profits: list[float] = []
    while waiting:
        some, values = waiting.popleft()
        count = len(some) if until is None else bisect_right(some, until)
        times += some[:count]
        profits += values[:count]
        if count < len(some):
            waiting.appendleft((some[count:], values[count:]))
            break
    return times, profits
