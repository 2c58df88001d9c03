"""What a run was worth at each price: block by block, and symbol by symbol added up. Pure.

Floats, for curves and statistics: what executions did to money is folded in Decimal first.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter

import msgspec

from decisions.portfolio import Portfolio
from decisions.round_trips import Executed
from messages.ids import Symbol

Prices = Iterable[tuple[Sequence[int], Sequence[float]]]
"""Blocks of times (UTC nanoseconds, in order) and prices."""
Values = tuple[Sequence[int], list[list[float]]]
"""Times, and a column each of profit, of what holding made, of what was held, signed, and of how
many symbols something was held of."""

COLUMNS = 4
_BLOCK = 4096


class Stretch(msgspec.Struct, kw_only=True):
    """One symbol in one part of the run."""

    events: int = 0
    held_events: int = 0
    """After so many of them something was held."""
    executions: int = 0
    turnover: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    net: float = 0.0


class Lane:
    """One symbol: its prices, and its executions in the order of time."""

    def __init__(
        self,
        symbol: Symbol,
        prices: Prices,
        executions: Sequence[Executed],
        *,
        hold: float = 0.0,
        fee_share: float = 0.0,
        split_ns: int | None = None,
    ) -> None:
        self.symbol = symbol
        self.stretches = [Stretch(), Stretch()]
        """What is not after `split_ns`, and the rest."""
        self.first_price = self.last_price = 0.0
        self.holding = 0.0
        """What holding has made so far."""
        self.portfolio = Portfolio()
        """Of this symbol alone."""
        self._prices, self._executions = prices, executions
        self._hold, self._kept, self._split_ns = hold, 1 - fee_share, split_ns
        self._taken, self._cash, self._quantity, self._profit = 0, 0.0, 0.0, 0.0

    def values(self) -> Iterator[Values]:
        """Go through it, once."""
        for times_ns, prices in self._prices:
            if not times_ns:
                continue
            if not self.first_price:
                self.first_price = prices[0]
            for part, start, stop in parted(times_ns, self._split_ns):
                yield self._block(part, times_ns[start:stop], prices[start:stop])
        while self._taken < len(self._executions):
            # Nothing is known of the market any more: it is worth what was paid for it.
            ts_ns = self._executions[self._taken].ts_ns
            price = float(self._executions[self._taken].fill.price)
            self.first_price = self.first_price or price
            ((part, _, _),) = parted([ts_ns], self._split_ns)
            yield self._block(part, [ts_ns], [price])

    def _block(self, part: int, times_ns: Sequence[int], prices: Sequence[float]) -> Values:
        stretch, profit, value = self.stretches[part], list[float](), list[float]()
        start, count, before, is_held = 0, len(times_ns), self._profit, list[float]()
        while start < count:
            self._execute(times_ns[start], stretch)
            stop = count
            if self._taken < len(self._executions):
                stop = bisect_left(times_ns, self._executions[self._taken][0], start + 1)
            cash, quantity = self._cash, self._quantity
            if quantity:
                held = [quantity * price for price in prices[start:stop]]
                value += held
                profit += [cash + one for one in held]
                stretch.held_events += stop - start
            else:
                value += [0.0] * (stop - start)
                profit += [cash] * (stop - start)
            is_held += [1.0 if quantity else 0.0] * (stop - start)
            start = stop
        stretch.events += count
        self._profit, self.last_price = profit[-1], prices[-1]
        stretch.net += self._profit - before
        hold, first = self._hold * self._kept, self.first_price
        holding = [hold * (price / first) - self._hold for price in prices] if first else []
        holding = holding or [0.0] * count
        self.holding = holding[-1]
        return times_ns, [profit, holding, value, is_held]

    def _execute(self, until_ns: int, stretch: Stretch) -> None:
        """Count what was executed up to a price; one of the same moment comes before it."""
        while self._taken < len(self._executions) and (
            self._executions[self._taken].ts_ns <= until_ns
        ):
            _, _, symbol, side, fill, _ = self._executions[self._taken]
            fees = self.portfolio.holdings[symbol].fees if self.portfolio.holdings else Decimal(0)
            self.portfolio.record(symbol, side, fill)
            holding = self.portfolio.holdings[symbol]
            self._cash, self._quantity = float(holding.cash_flow), float(holding.quantity)
            stretch.executions += 1
            stretch.turnover += fill.price * fill.quantity
            stretch.fees += holding.fees - fees
            self._taken += 1


def parted(times_ns: Sequence[int], split_ns: int | None) -> list[tuple[int, int, int]]:
    """Cut in two where it must be: 0 or 1 for the part, its first place, and the one behind it."""
    if split_ns is None:
        return [(0, 0, len(times_ns))]
    middle = bisect_right(times_ns, split_ns)
    parts = [(0, 0, middle), (1, middle, len(times_ns))]
    return [one for one in parts if one[1] < one[2]]


def added_up(lanes: Sequence[Iterator[Values]]) -> Iterator[Values]:
    """Add up symbols at each moment that one of them has a price at."""
    if len(lanes) == 1:
        yield from lanes[0]
        return
    told = merge(*(_points(place, lane) for place, lane in enumerate(lanes)), key=itemgetter(0))
    latest = [[0.0] * COLUMNS for _ in lanes]
    moments = groupby(told, key=itemgetter(0))
    while some := list(islice(_sums(moments, latest), _BLOCK)):
        yield (
            [ts_ns for ts_ns, _ in some],
            [list(c) for c in zip(*(s for _, s in some), strict=True)],
        )


def _points(place: int, lane: Iterator[Values]) -> Iterator[tuple[int, int, tuple[float, ...]]]:
    for times_ns, columns in lane:
        for ts_ns, *values in zip(times_ns, *columns, strict=True):
            yield ts_ns, place, tuple(values)


def _sums(
    moments: Iterator[tuple[int, Iterator[tuple[int, int, tuple[float, ...]]]]],
    latest: list[list[float]],
) -> Iterator[tuple[int, list[float]]]:
    for ts_ns, together in moments:
        for _, place, values in together:
            latest[place] = list(values)
        yield ts_ns, [sum(column) for column in zip(*latest, strict=True)]
