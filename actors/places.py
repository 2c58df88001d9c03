"""Places in a mailbox's queue whose message may still change for a newer one.

A message that conflates takes the place of the one with its key; where the lane is full, one
that drops the oldest takes the place of the oldest of its class. A place is settled when it is
taken: from then on no newer message gets into it.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from actors.envelope import Perishable, Place
from messages.base import Message, Overflow


class Places:
    """Any thread may `enter`; `settle` is for whoever took the place from the queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._conflated: dict[Any, Place] = {}
        self._newest: dict[type, deque[tuple[Message, int]]] = {}
        """What the places of a DROP_OLDEST class in the queue hold, oldest first."""

    def enter(
        self,
        message: Message,
        now_ns: int,
        is_full: Callable[[], bool],
        put: Callable[[Place], None],
    ) -> tuple[Message, int] | None:
        """Put a new place, or take over one that waits; give what had to go, and since when."""
        with self._lock:
            place = Place(message, None, now_ns)
            if message.delivery.overflow is Overflow.CONFLATE:
                key = _key(message)
                waiting = self._conflated.get(key)
                if waiting is not None:
                    waiting.message, waiting.enqueued_ns = message, now_ns
                    return None
                self._conflated[key] = place
            else:
                held = self._newest.setdefault(type(message), deque())
                held.append((message, now_ns))
                if is_full() and len(held) > 1:
                    return held.popleft()
            put(place)
        return None

    def settle(self, place: Place) -> Perishable:
        """Say which message a place holds."""
        with self._lock:
            message, since_ns = place.message, place.enqueued_ns
            if message.delivery.overflow is Overflow.CONFLATE:
                key = _key(message)
                if self._conflated.get(key) is place:
                    del self._conflated[key]
            elif held := self._newest.get(type(message)):
                message, since_ns = held.popleft()
        return Perishable(message, None, since_ns)


def _key(message: Message) -> tuple[type[Message], Any]:
    return type(message), message.conflation_key()
