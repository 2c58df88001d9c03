"""How far one subject of the bus was taken, also where its numbers count no more. Pure.

A stream that is made anew has other numbers, and a next incarnation of a bot knows none: then
what was told is known by its time alone.
"""

import msgspec

from messages.bus import BusFrame
from messages.market import FeedGap, Trade

ALL = 1 << 62


class Line(msgspec.Struct):
    """What was last taken from one subject."""

    writer: str = ""
    sequence: int = 0
    ts_ns: int = 0
    taken: int = 0
    """How many trades of that very time; `ALL` where nobody has counted them."""
    is_cut: bool = False
    """The numbers before are of no use: trades up to that time were told."""
    may_lack: bool = False
    """Nothing shows yet that what comes now follows on what was told."""
    _again: int = 0
    """How many trades of that very time came by once more."""

    def cut(self) -> None:
        """Forget the numbers; trades go on by their time."""
        self.writer, self.sequence, self._again = "", 0, 0
        self.is_cut = self.may_lack = self.ts_ns > 0

    def number(self, frame: BusFrame) -> None:
        """Note how far it has come by number."""
        self.writer, self.sequence = frame.writer, frame.sequence

    def take(self, frame: BusFrame, ts_ns: int) -> None:
        """Note what is told."""
        self.number(frame)
        self.taken = self.taken + 1 if ts_ns == self.ts_ns else 1
        self.ts_ns = ts_ns
        self.is_cut = self.may_lack = False

    def had(self, what: Trade | FeedGap, *, is_real: bool) -> bool:
        """Whether it was told before the cut.

        Where it was, the stream reaches back so far: what follows comes without a hole. Of a real
        market a trade of the very time may be another one, which shows nothing.
        """
        if isinstance(what, FeedGap):
            self.may_lack &= what.ts_from_ns > self.ts_ns
            return what.ts_to_ns <= self.ts_ns
        if what.ts_event_ns < self.ts_ns:
            self.may_lack = False
            return True
        if what.ts_event_ns > self.ts_ns or self._again >= self.taken:
            return False
        self._again += 1
        self.may_lack &= is_real
        return True
