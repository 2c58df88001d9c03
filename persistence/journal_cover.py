"""What a journal holds for certain of one actor's messages, as spans of time.

A span begins with the journal of a process, or where the actor surely has nothing in hand that
is not there; it ends where messages may be missing: at a gap, a damage, a kill, a segment that
is gone, a clock that was set back. What lies in no span is not covered, which is no fault.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from messages.outside import Origin
from persistence.frames import LOST, SEAL, Frame, lost_of, next_begun_ns
from persistence.journal import Found, begun_at, read_segment, segments

_FIRST = 1
_AMID = (Origin.VENUE, Origin.INSIDE)
"""What may be taken, or said, while something from before is not worked off."""


class Span(NamedTuple):
    """From a moment to a moment, UTC ns."""

    since_ns: int
    until_ns: int


class CoverReader:
    """Reads a journal once: `frames` gives the actor's messages; then `spans` and `damages` hold.

    A frame's `at_ns` and the ledger's moments are of one clock and, for the actor, one thread.
    Of an origin that may be taken in groups (`VENUE`) a message can belong to what was taken
    before it, and what an actor says of itself comes in the middle of it; any other shows that
    all before it is worked off. That a clock was set back shows
    only in what is there: not in a tail that is lost, nor where a process kept no journal.
    """

    def __init__(self, folder: Path, actor: str) -> None:
        self._folder, self._actor = folder, actor
        self.spans: list[Span] = []
        self.damages: list[Found] = []
        """What nobody can read; a torn tail, as a kill leaves it, is none."""
        self._is_sealed = False
        self.reaches_end = False
        """Whether the last process ended in order, and the last span with it."""
        self._next_begun_ns: int | None = None
        self._since_ns: int | None = None
        self._until_ns = self._floor_ns = self._latest_ns = self._begun_ns = 0

    def covers(self, since_ns: int, until_ns: int) -> bool:
        """Whether every message that the actor took between is there, if it was for outside."""
        return any(s.since_ns <= since_ns and until_ns < s.until_ns for s in self.spans)

    def covers_to_end(self, since_ns: int, started_ns: int) -> bool:
        """Whether every message from a moment on is there, up to the end of the last process.

        That one started at `started_ns`; a seal from before is of one that kept a journal still.
        """
        if not self.reaches_end:
            return False
        last = self.spans[-1]
        return last.since_ns <= since_ns and started_ns < last.until_ns

    def covers_process(self, started_ns: int) -> bool:
        """Whether it covers the last process from its start to its orderly end.

        A journal begins a moment after its process has started, and before its actors.
        """
        if not self.reaches_end:
            return False
        begun_ns = self.spans[-1].since_ns
        return begun_ns == self._begun_ns and begun_ns >= started_ns

    def frames(self) -> Iterator[Frame]:
        """Walk it, segment after segment; one that is removed meanwhile is one that is gone."""
        there = segments(self._folder)
        before = 0
        for path in there:
            number = int(path.stem)
            follows = number == before + 1
            # In the first segment, or behind a seal of the end, a process begins.
            self._enter(path, is_new=follows and (number == _FIRST or self._is_sealed))
            before = number
            yield from self._segment(path, is_last=path == there[-1])
        self._end()

    def unreadable(self) -> None:
        """Take it that the message just given cannot be understood."""
        self._end()

    def _segment(self, path: Path, *, is_last: bool) -> Iterator[Frame]:
        with suppress(FileNotFoundError):  # the next one finds that this did not lead to it
            for item in read_segment(path, seals=True):
                if isinstance(item, Found):
                    self._end()
                    if not (is_last and item.damage.is_torn):
                        self.damages.append(item)
                elif item.origin == SEAL:
                    self._sealed(item)
                elif item.origin == LOST:
                    self._lost(item)
                elif item.path == self._actor:
                    self._took(item)
                    yield item

    def _enter(self, path: Path, *, is_new: bool) -> None:
        """Go on with the span if the same process did, or begin one where a process did."""
        begun_ns = begun_at(path)
        if self._next_begun_ns is None or begun_ns != self._next_begun_ns:
            self._end()
        if begun_ns is not None:
            self._see_clock(begun_ns)
        if is_new and begun_ns is not None and begun_ns > self._floor_ns:
            self._since_ns = self._until_ns = self._begun_ns = begun_ns
        self._next_begun_ns = None
        self._is_sealed = self.reaches_end = False

    def _took(self, frame: Frame) -> None:
        self._see_clock(frame.at_ns)
        self._latest_ns = max(self._latest_ns, frame.at_ns)
        if self._since_ns is not None:
            self._until_ns = frame.at_ns
        elif frame.origin not in _AMID and frame.at_ns > self._floor_ns:
            self._since_ns = self._until_ns = frame.at_ns

    def _lost(self, frame: Frame) -> None:
        try:
            since_ns = lost_of(frame).since_ns
        except msgspec.MsgspecError:
            since_ns = None
        self._see_clock(frame.at_ns)
        self._until_ns = min(self._until_ns, since_ns or 0)
        self._end()
        self._floor_ns = max(self._floor_ns, frame.at_ns)

    def _see_clock(self, now_ns: int) -> None:
        """Where it was set back, the moments between were there twice, and mean nothing.

        A segment is begun and sealed, and a gap is told of, after all that stands before it.
        """
        if now_ns < self._latest_ns:
            self._end()
            self._floor_ns = max(self._floor_ns, self._latest_ns)
            self.spans = [
                span._replace(until_ns=min(span.until_ns, now_ns))
                for span in self.spans
                if span.since_ns < now_ns
            ]

    def _sealed(self, seal: Frame) -> None:
        self._see_clock(seal.at_ns)
        self._next_begun_ns = next_begun_ns(seal)
        self._is_sealed = self._next_begun_ns is None
        if self._is_sealed:
            self._latest_ns = max(self._latest_ns, seal.at_ns)
            self._until_ns = max(self._until_ns, seal.at_ns)
            self.reaches_end = self._end()

    def _end(self) -> bool:
        """End the span, if there is one; say whether it covers anything."""
        since_ns, self._since_ns = self._since_ns, None
        if since_ns is None or self._until_ns <= since_ns:
            return False
        self.spans.append(Span(since_ns, self._until_ns))
        return True
