"""Several markets as one, in the order of time; and the beginning of one."""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter

from exchanges.source import MarketSource, SourceStats, total
from messages.market import MarketEvent

_Keyed = tuple[int, int, MarketEvent]
_key = itemgetter(0, 1)


class LimitedSource:
    """The first `limit` events of a source."""

    def __init__(self, source: MarketSource, limit: int) -> None:
        self._source, self._limit = source, limit

    @property
    def stats(self) -> SourceStats:
        """Those of the source, up to the furthest row read."""
        return self._source.stats

    def events(self, start_index: int = 0) -> Iterator[MarketEvent]:
        """Give the events below the limit; see `exchanges.source.MarketSource`."""
        return islice(self._source.events(start_index), max(self._limit - start_index, 0))


class MergedSource:
    """Sources merged by event time; at one moment the one given first goes first.

    The order is the same in every reading, so an index means the same event for ever. To
    begin at an index, all events before it are read.
    """

    def __init__(self, sources: Sequence[MarketSource]) -> None:
        self._sources = tuple(sources)

    @property
    def stats(self) -> SourceStats:
        """The sum over all sources, as of now."""
        return total(source.stats for source in self._sources)

    def events(self, start_index: int = 0) -> Iterator[MarketEvent]:
        """Give the merged events; see `exchanges.source.MarketSource`."""
        keyed = [_keyed(position, source) for position, source in enumerate(self._sources)]
        merged = (event for _, _, event in merge(*keyed, key=_key))
        return islice(merged, start_index, None)


def _keyed(position: int, source: MarketSource) -> Iterator[_Keyed]:
    for event in source.events():
        yield event.ts_event_ns, position, event
