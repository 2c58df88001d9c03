"""The equity of one quote currency at each price of its markets, in floats and in flat memory.

For statistics only, as indicators are: money itself is the portfolio's, in Decimal.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter

from decisions.equity_walk import DAY_NS as DAY_NS
from decisions.equity_walk import EquityWalk

_Points = tuple[Sequence[int], Sequence[float]]
"""Times and, for each of them, profit."""


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
        times = next(iter(parts.values()))[0]
        if len(parts) == len(self._waiting) and all(p[0] == times for p in parts.values()):
            sums = [sum(each) for each in zip(*(p[1] for p in parts.values()), strict=True)]
            self._latest |= {place: points[1][-1] for place, points in parts.items()}
            self.walk.pass_by(times, sums)
        else:
            self.walk.pass_by(*self._interleaved(parts))

    def _interleaved(self, parts: dict[int, tuple[list[int], list[float]]]) -> _Points:
        told = merge(*(_of(place, points) for place, points in parts.items()), key=itemgetter(0))
        times, sums = [], []
        for ts_ns, together in groupby(told, key=itemgetter(0)):
            self._latest |= {place: profit for _, place, profit in together}
            times.append(ts_ns)
            sums.append(sum(self._latest.values()))
        return times, sums


def _of(place: int, points: tuple[list[int], list[float]]) -> Iterable[tuple[int, int, float]]:
    for ts_ns, profit in zip(*points, strict=True):
        yield ts_ns, place, profit


def _cut(waiting: deque[_Points], until: int | None) -> tuple[list[int], list[float]]:
    """Take what is not after `until`; None takes all."""
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
