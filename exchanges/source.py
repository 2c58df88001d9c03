"""What a market source must be able to do, and what it tells of its quality."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from messages.ids import Symbol
from messages.market import MarketEvent

MAX_PROBLEMS = 20
MAX_GAP_SPANS = 100


class GapSpan(msgspec.Struct, frozen=True, gc=False):
    """Bars are missing between the close of one and the open of the next, or trades between two."""

    ts_from_ns: int
    ts_to_ns: int
    missing: int
    """0 where nobody knows how many."""
    symbol: Symbol = Symbol("")
    place: str = ""
    """``file:line`` of the row after it; empty of what has no rows."""


class SourceStats(msgspec.Struct):
    """How much of a source was usable, up to the furthest row that any reading has reached.

    Reading again from an earlier event counts nothing twice.
    """

    usable: int = 0
    malformed: int = 0
    duplicate: int = 0
    out_of_order: int = 0
    gaps: int = 0
    missing: int = 0
    """Bars that the gaps left out."""
    problems: list[str] = []
    """The first twenty, each ``file:line: sentence``."""
    gap_spans: list[GapSpan] = []
    """The first hundred."""
    cut_off: list[str] = []
    """A sentence for each file whose end cannot be read; each is one malformed row besides."""
    reached: int = 0
    """The furthest row, from 1."""

    def note(self, problem: str) -> None:
        """Keep a problem while there is room."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def note_gap(self, span: GapSpan) -> None:
        """Count a gap, and keep where it was while there is room."""
        self.gaps += 1
        self.missing += span.missing
        if len(self.gap_spans) < MAX_GAP_SPANS:
            self.gap_spans.append(span)


class MarketSource(Protocol):
    """A recorded or generated market. Readings are independent; memory is flat."""

    @property
    def stats(self) -> SourceStats:
        """What was found so far; read it again, it may be a snapshot."""
        ...

    def events(self, start_index: int = 0) -> Iterator[MarketEvent]:
        """Give the usable events in market order, beginning with number `start_index`.

        The same index always gives the same event. Events before it are read, not given.

        Raises:
            DataError: the source became unreadable, or has no usable event at all.
        """
        ...


def total(parts: Iterable[SourceStats]) -> SourceStats:
    """Add up several sources."""
    whole = SourceStats()
    for part in parts:
        whole.usable += part.usable
        whole.malformed += part.malformed
        whole.duplicate += part.duplicate
        whole.out_of_order += part.out_of_order
        whole.gaps += part.gaps
        whole.missing += part.missing
        whole.problems = [*whole.problems, *part.problems][:MAX_PROBLEMS]
        whole.gap_spans = [*whole.gap_spans, *part.gap_spans][:MAX_GAP_SPANS]
        whole.cut_off = [*whole.cut_off, *part.cut_off]
        whole.reached += part.reached
    return whole
