"""The timers of whoever reads a mailbox: they come out of it as messages, and no thread waits."""

import heapq
from collections.abc import Callable
from itertools import count

from actors.envelope import Due
from actors.mailbox_protocols import Reader, Timer
from messages.base import Message
from messages.ids import NS_PER_S


class Timers:
    """Of one mailbox. Each reader has a heap of its own, so that none fires in the next one."""

    def __init__(self) -> None:
        self._orders = count(1)
        self._heap: list[Timer] = []
        """The present reader's."""
        self.gives_way = False
        """Whether the last to fire was late by a whole period: who takes longer for it than that
        would be at nothing else, so what waits is served once before the next."""

    def begin(self, reader: Reader) -> None:
        """Go on with another reader, which has none."""
        self._heap, self.gives_way = reader.timers, False

    def set(self, reader: Reader, due_ns: int, message: Message, every_ns: int = 0) -> None:
        """Deliver `message` at a monotonic moment, and again every `every_ns` if given."""
        heapq.heappush(reader.timers, (due_ns, next(self._orders), message, every_ns))

    def pop(self, reader: Reader, now_ns: int) -> Due:
        """Take the earliest, which is due; one with a period is set again."""
        due_ns, _, message, every_ns = heapq.heappop(reader.timers)
        if every_ns:
            next_ns = due_ns + every_ns
            self.gives_way = next_ns <= now_ns
            self.set(reader, max(next_ns, now_ns), message, every_ns)
        return Due(message, None, due_ns, reader=reader)

    def next_due_ns(self) -> int | None:
        """When the earliest fires, on the monotonic clock; None without one."""
        return self._heap[0][0] if self._heap else None


def left_s(reader: Reader, now_ns: Callable[[], int]) -> float | None:
    """Give how long it is until the next timer; None without one."""
    if not reader.timers:
        return None
    return max((reader.timers[0][0] - now_ns()) / NS_PER_S, 0.0)
