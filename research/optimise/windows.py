"""Walk-forward: what is searched on, and the part after it that the search has not seen.

    window 1   |--- seen ---|unseen|
    window 2          |--- seen ---|unseen|
    last                     |--- seen ---|

All are equally long, a window begins where the unseen part before it began, and the unseen parts
follow each other without a gap. The last window has nothing after it: what it finds is for what
comes next.
"""

import msgspec

from messages.errors import ConfigError

PARTS = 4
"""In so many parts a window is gone through; after each but the last a trial may be given up."""


class Window(msgspec.Struct, frozen=True):
    """Moments in ns; an event belongs to the part whose beginning it is after."""

    number: int
    """From 1."""
    begin_ns: int
    end_ns: int
    """Of what is seen; the unseen part begins here."""
    unseen_end_ns: int
    """The same where there is no such part."""

    @property
    def has_unseen(self) -> bool:
        """Whether something comes after it."""
        return self.unseen_end_ns > self.end_ns

    def cuts_ns(self) -> tuple[int, ...]:
        """Give the ends of its parts."""
        length = self.end_ns - self.begin_ns
        return tuple(self.begin_ns + length * part // PARTS for part in range(1, PARTS + 1))


def windows_of(begin_ns: int, end_ns: int, count: int, train: float) -> list[Window]:
    """Cut a market into `count` windows and the last one; `train` is seen over unseen length.

    Without any (0) the whole market is one window.

    Raises:
        ConfigError: the market is too short for that.
    """
    if count == 0:
        return [Window(1, begin_ns, end_ns, end_ns)]
    unseen = int((end_ns - begin_ns) / (count + train))
    seen = (end_ns - begin_ns) - unseen * count
    if unseen < 1 or seen < PARTS:
        raise ConfigError([f"the market is too short for {count} windows: take fewer (--windows)"])
    windows = []
    for place in range(count + 1):
        begin = begin_ns + place * unseen
        end = begin + seen
        windows.append(Window(place + 1, begin, end, min(end + unseen, end_ns)))
    return windows
