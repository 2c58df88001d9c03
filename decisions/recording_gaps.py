"""The gaps of a recording: how many, and the first of them. Markets close: no row is wrong."""

import msgspec

from messages.ids import NS_PER_S, ActorPath, Symbol
from messages.market import FeedGap, FeedReport

_SHOWN = 3
"""So many gaps are named to a person."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is missing, and how much; `missing` is 0 where nobody knows how many."""

    symbol: Symbol
    place: str
    """``file:line`` of the row after it."""
    missing: int
    lasted_s: float


class RecordingGaps(msgspec.Struct, frozen=True, kw_only=True):
    """The gaps of one feed: `missing` candles or trades in all, and the first few."""

    gaps: int
    missing: int
    first: list[Gap]


class FirstGaps:
    """One thread observes, any may read. A market that is no recording has no place, and none."""

    def __init__(self) -> None:
        self._first: dict[ActorPath, tuple[Gap, ...]] = {}

    def observe(self, gap: FeedGap) -> None:
        """Keep it, if it is one of the first of its recording."""
        before = self._first.get(gap.feed, ())
        if gap.place and len(before) < _SHOWN:
            self._first[gap.feed] = (*before, _gap(gap))

    def of(self, report: FeedReport) -> RecordingGaps | None:
        """Give the gaps of a feed by its newest report; None where none was told of."""
        first = self._first.get(report.feed)
        if not first:
            return None
        return RecordingGaps(gaps=report.gaps, missing=report.missing, first=list(first))


def _gap(gap: FeedGap) -> Gap:
    lasted_s = (gap.ts_to_ns - gap.ts_from_ns) / NS_PER_S
    return Gap(symbol=gap.symbol, place=gap.place, missing=gap.missing, lasted_s=lasted_s)
