"""The equity of one quote currency at each price of its markets, in floats and in flat memory.

For statistics only, as indicators are: money itself is the portfolio's, in Decimal.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial, reduce
from itertools import chain, repeat
from operator import add, or_, sub
from typing import TypeVar

from decisions.equity_walk import EquityWalk

Value = TypeVar("Value")
_Points = tuple[Sequence[int], Sequence[float], bytes]
"""Times and, for each of them, profit, and 1 where something was held, else 0."""
_NO_POINTS: _Points = ((), (), b"")


class EquityMeter:
    """Adds up the profit of several markets, each of which tells it block by block."""

    def __init__(self, places: Iterable[int], capital: float = 0.0) -> None:
        self._waiting: dict[int, deque[_Points]] = {place: deque() for place in places}
        self._told_until = dict.fromkeys(self._waiting, -1)
        self._latest = dict.fromkeys(self._waiting, 0.0)
        self._latest_held = dict.fromkeys(self._waiting, 0)
        self.held_events = 0
        """After so many of the walk's events something was held, at whichever market."""
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

    def take(
        self, place: int, times_ns: Sequence[int], profits: Sequence[float], held: bytes
    ) -> None:
        """Take what came next at one market; `held` has a 1 where something was held, else a 0."""
        if not times_ns:
            return
        if len(self._waiting) == 1:
            self.walk.pass_by(times_ns, profits)
            self.held_events += held.count(1)
            return
        self._waiting[place].append((times_ns, profits, held))
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
        held = [points[2] for points in parts.values()]
        if len(parts) < len(self._waiting) or any(other != times for other in together):
            times = list(dict.fromkeys(sorted(chain.from_iterable(together))))
            place_of = dict(zip(times, range(len(times)), strict=True))
            some = {place: parts.get(place, _NO_POINTS) for place in self._latest}
            curves = [
                _stretched(latest, some[place][0], some[place][1], place_of)
                for place, latest in self._latest.items()
            ]
            held = [
                bytes(_stretched(latest, some[place][0], some[place][2], place_of))
                for place, latest in self._latest_held.items()
            ]
        self._latest |= {place: points[1][-1] for place, points in parts.items()}
        self._latest_held |= {place: points[2][-1] for place, points in parts.items()}
        # Each byte is 0 or 1, so the bits of all markets' bytes, one over the other, are its ones.
        self.held_events += reduce(or_, (int.from_bytes(one, "big") for one in held)).bit_count()
        self.walk.pass_by(times, list(reduce(partial(map, add), curves)))


def _stretched(
    latest: Value, times_ns: Sequence[int], values: Iterable[Value], place_of: dict[int, int]
) -> Iterable[Value]:
    """Give the value of one market at each of the times of all: its last one lasts."""
    places = list(map(place_of.__getitem__, times_ns))
    lengths = map(sub, chain(places, (len(place_of),)), chain((0,), places))
    return chain.from_iterable(map(repeat, chain((latest,), values), lengths))


def _cut(waiting: deque[_Points], until: int | None) -> _Points:
    """Take what is not after `until`; None takes all."""
    if len(waiting) == 1 and (until is None or waiting[0][0][-1] <= until):
        return waiting.popleft()  # as it is: nothing is copied
    times: list[int] = []
    profits: list[float] = []
    held = b""
    while waiting:
        some, values, flags = waiting.popleft()
        count = len(some) if until is None else bisect_right(some, until)
        times += some[:count]
        profits += values[:count]
        held += flags[:count]
        if count < len(some):
            waiting.appendleft((some[count:], values[count:], flags[count:]))
            break
    return times, profits, held
