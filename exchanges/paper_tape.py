"""The recent market of one symbol, as the paper venue remembers it."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import attrgetter, lt

from exchanges.paper_order import Place
from messages.market import MarketEvent

TAPE_LENGTH = 8192
"""In events of a symbol; no feed that waits may run further ahead of who decides."""

_TIME = attrgetter("ts_event_ns")


class Tape:
    """A bounded run of events, each with its place; what is seen twice counts once.

    Events before the newest one are a feed's redelivery and are ignored. At one moment,
    equal events count once: so it does not matter how often or in what pieces a feed
    delivers, at the price of the second of two identical trades in one moment.
    """

    __slots__ = ("_entries", "_last_ns", "_ordinal")

    def __init__(self, length: int) -> None:
        self._entries: deque[tuple[int, int, MarketEvent]] = deque(maxlen=length)
        self._last_ns = -1
        self._ordinal = 0

    def add(self, event: MarketEvent) -> bool:
        """Take one event; False when it is already known."""
        ts_ns = event.ts_event_ns
        if ts_ns > self._last_ns:
            self._last_ns, self._ordinal = ts_ns, 0
        elif ts_ns < self._last_ns or self._has(event):
            return False
        else:
            self._ordinal += 1
        self._entries.append((ts_ns, self._ordinal, event))
        return True

    def add_all(self, events: Sequence[MarketEvent]) -> None:
        """Take each as `add` does: at once, where each is newer than the one before it."""
        times_ns = list(map(_TIME, events))
        if all(map(lt, (self._last_ns, *times_ns), times_ns)):
            self._entries.extend(zip(times_ns, repeat(0), events, strict=False))
            self._last_ns, self._ordinal = times_ns[-1], 0
        else:
            for event in events:
                self.add(event)

    @property
    def newest(self) -> Place:
        """Where the event that was added last stands."""
        return Place(self._last_ns, self._ordinal)

    def after(self, cursor: Place) -> Iterator[tuple[Place, MarketEvent]]:
        """Give what the tape still holds beyond `cursor`, in market order.

        Looked up by halving and given one by one: most orders are done at their first event,
        however far the market was shown ahead of them.
        """
        entries = self._entries
        first = bisect_left(entries, (cursor.ts_ns, cursor.ordinal + 1))
        for index in range(first, len(entries)):
            ts_ns, ordinal, event = entries[index]
            yield Place(ts_ns, ordinal), event

    def _has(self, event: MarketEvent) -> bool:
        for ts_ns, _, known in reversed(self._entries):
            if ts_ns != self._last_ns:
                return False
            if known == event:
                return True
        return False
