"""The events of a live market, numbered, as long as somebody may need them and there is room."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from messages.ids import Symbol, TimestampNs
from messages.market import MarketEvent


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive events that can go into one batch."""

    first_index: int
    events: tuple[MarketEvent, ...]
    is_history: bool
    lost: int


class LiveBuffer(msgspec.Struct, kw_only=True):
    """A live market can't be read again: what does not fit is lost, oldest first, and told."""

    capacity: int
    base: int = 0
    """The number of the oldest event that is held."""
    events: deque[MarketEvent] = msgspec.field(default_factory=deque)
    warm_until_ns: dict[Symbol, TimestampNs] = {}
    """Events up to here happened before the run."""
    dropped_from_ns: TimestampNs | None = None
    """When the first event happened that was dropped and that somebody may not have had yet."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "LiveBuffer":
        """Copy the row of events and not each, for none changes; of one moment, see `base`."""
        base, events = -1, deque[MarketEvent]()
        while base != self.base:
            base, events = self.base, self.events.copy()
        return msgspec.structs.replace(
            self, base=base, events=events, warm_until_ns=self.warm_until_ns.copy()
        )

    @property
    def end(self) -> int:
        """The number of the next event."""
        return self.base + len(self.events)

    def add(self, event: MarketEvent) -> None:
        """Take the next event."""
        self.events.append(event)
        if len(self.events) > self.capacity:
            dropped = self.events.popleft()
            self.base += 1
            if self.dropped_from_ns is None:
                self.dropped_from_ns = dropped.ts_event_ns

    def add_history(self, events: Iterable[MarketEvent]) -> None:
        """Take events that happened before the run, of several symbols in the order of time."""
        for event in sorted(events, key=lambda event: event.ts_event_ns):
            self.add(event)
            self.warm_until_ns[event.symbol] = event.ts_event_ns

    def forget(self, below: int) -> None:
        """Let go of what everybody has finished."""
        if below >= self.base:
            self.dropped_from_ns = None  # all have come past what was dropped
        for _ in range(min(below - self.base, len(self.events))):
            self.events.popleft()
            self.base += 1

    def pieces(self, first: int, stop: int, size: int, oldest_ns: int) -> Iterator[Piece]:
        """Give events in pieces of at most `size`; those before `oldest_ns` are history.

        What is held no more is counted as lost by the first piece.
        """
        begin = max(first, self.base)
        lost, is_past = begin - first, False
        run: list[MarketEvent] = []
        for event in islice(self.events, begin - self.base, max(stop, begin) - self.base):
            if run and (len(run) >= size or self._is_past(event, oldest_ns) != is_past):
                yield self._piece(begin, run, is_past, lost)
                begin, lost, run = begin + len(run), 0, []
            if not run:
                is_past = self._is_past(event, oldest_ns)
            run.append(event)
        if run:
            yield self._piece(begin, run, is_past, lost)

    def _is_past(self, event: MarketEvent, oldest_ns: int) -> bool:
        warm_until_ns = self.warm_until_ns.get(event.symbol, -1)
        return event.ts_event_ns <= warm_until_ns or event.ts_event_ns < oldest_ns

    def _piece(self, first: int, run: list[MarketEvent], is_past: bool, lost: int) -> Piece:
        return Piece(first_index=first, events=tuple(run), is_history=is_past, lost=lost)
