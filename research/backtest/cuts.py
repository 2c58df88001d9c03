"""Several markets as one row of events, numbered as a strategy is shown them, and cut in two."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from heapq import merge

import msgspec

from exchanges.event_blocks import Block
from messages.market import MarketEvent
from research.backtest.plan import MarketPlan

Moment = tuple[int, int]
"""When an event happens, and the place of its market."""


class Cut(msgspec.Struct, frozen=True):
    """So many of all events are left."""

    count: int
    parts: tuple[int, ...]
    """So many of each market."""
    last_ns: int
    """When the last of them happens."""
    is_whole: bool
    """Whether all events of that moment are left."""


def moments_of(markets: Sequence[MarketPlan]) -> Iterator[Moment]:
    """Give the moments of all events, in the order in which they are shown."""
    return merge(*(_moments(place, market) for place, market in enumerate(markets)))


def size_of(markets: Sequence[MarketPlan]) -> int:
    """Count the events of all markets."""
    return sum(len(block.times_ns) for market in markets for block in market.blocks())


def events_from(markets: Sequence[MarketPlan], first: int) -> Iterator[tuple[int, MarketEvent]]:
    """Give the events from a number on, each with its number; only these are made."""
    readers = [_Reader(market) for market in markets]
    for number, (_, place) in enumerate(moments_of(markets)):
        if number >= first:
            yield number, readers[place].event()
        readers[place].go_on()


def cuts_at(markets: Sequence[MarketPlan], counts: Iterable[int]) -> list[Cut]:
    """Give the cuts that leave so many events; `counts` rise, and each leaves some and not all."""
    wanted, found = iter(counts), list[Cut]()
    following = next(wanted, None)
    parts, last_ns = [0] * len(markets), -1
    for number, (ts_ns, place) in enumerate(moments_of(markets)):
        while following == number:
            found.append(Cut(number, tuple(parts), last_ns, ts_ns > last_ns))
            following = next(wanted, None)
        if following is None:
            break
        parts[place] += 1
        last_ns = ts_ns
    return found


def cut_off(markets: Sequence[MarketPlan], cut: Cut) -> tuple[MarketPlan, ...]:
    """Give the markets without what is behind a cut."""
    return tuple(
        msgspec.structs.replace(market, blocks=partial(_first, market, count))
        for market, count in zip(markets, cut.parts, strict=True)
    )


def _moments(place: int, market: MarketPlan) -> Iterator[Moment]:
    for block in market.blocks():
        for ts_ns in block.times_ns:
            yield ts_ns, place


def _first(market: MarketPlan, count: int) -> Iterator[Block]:
    left = count
    for block in market.blocks():
        if left <= 0:
            return
        size = len(block.times_ns)
        yield block if size <= left else block.first(left)
        left -= size


class _Reader:
    """Goes through one market event by event, and makes those alone that are asked for."""

    def __init__(self, market: MarketPlan) -> None:
        self._blocks = market.blocks()
        self._block: Block | None = None
        self._size = self._place = 0

    def event(self) -> MarketEvent:
        if self._place >= self._size:
            self._load()
        assert self._block is not None, "asked as often as there are moments"
        return self._block.event(self._place)

    def go_on(self) -> None:
        if self._place >= self._size:
            self._load()
        self._place += 1

    def _load(self) -> None:
        self._block = next(self._blocks)
        self._size, self._place = len(self._block.times_ns), 0
