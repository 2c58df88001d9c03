"""What a live feed remembers over its restarts."""

from collections.abc import Iterable

import msgspec

from actors.inheritance import copy_of
from decisions.live_feed import LiveBuffer
from decisions.market_feed import FlowControl
from exchanges.feed_connection import FeedConnection
from exchanges.source import SourceStats, total
from messages.ids import ActorPath, Symbol
from messages.market import Candle

_NO_WINDOW = 1 << 62


class LiveMemory(msgspec.Struct, kw_only=True):
    """What survives a restart of a live feed's actor."""

    flow: FlowControl
    buffer: LiveBuffer
    closed_ns: dict[Symbol, int] = {}
    """The close of the last candle of each symbol."""
    traded_ns: dict[Symbol, int] = {}
    """The time of the last trade of each symbol."""
    past: list[Candle] = []
    """What happened before the run and is not handed on yet: other symbols have theirs to tell."""
    history: int = 0
    """How many events happened before the run."""
    delivered: int = 0
    place: int = 0
    """Where the source has what was taken last."""
    is_over: bool = False
    """The source has told its end, as a recording does that comes over a bus."""


def new_memory(
    followers: Iterable[ActorPath],
    capacity: int,
    window: int | None = None,
    leaders: Iterable[ActorPath] = (),
) -> LiveMemory:
    """Give the memory of a feed that has told nothing.

    A live market waits for no follower; `window` is for one that can.
    """
    flow = FlowControl(followers, _NO_WINDOW if window is None else window, leaders)
    return LiveMemory(flow=flow, buffer=LiveBuffer(capacity=capacity))


class LiveKept:
    """Holds what the next incarnation of a live feed inherits."""

    def __init__(self, memory: LiveMemory) -> None:
        self.memory = memory
        self.stats: list[SourceStats] = []
        self.between = SourceStats()
        """What was lost between two connections, which neither of them could know."""
        self._connection: FeedConnection | None = None

    def inherit(self) -> LiveMemory:
        """Give a copy for the next incarnation; an abandoned one may still change the old."""
        self.memory = copy_of(self.memory)
        return self.memory

    def replace(self, connection: FeedConnection) -> None:
        """Keep the connection of the present incarnation, and end that of an abandoned one."""
        before, self._connection = self._connection, connection
        if before is not None:
            before.close(0)
        if self.stats:  # the last one's connection may still be counting
            *older, last = self.stats
            self.stats = [total(older), last]
        self.stats.append(connection.stats)
