"""Where messages end that nobody will handle: counted, and the last ones kept to look at."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from messages.errors import ActorUnavailable
from messages.ids import ActorPath


class DeadLetter(NamedTuple):
    """One message that was not handled. `why` is a short slug, `detail` a traceback or text.

    Times are monotonic nanoseconds; None where it was never queued, or never taken up.
    """

    path: ActorPath
    message: Any
    why: str
    detail: str
    at_ns: int
    enqueued_ns: int | None = None
    started_ns: int | None = None


_EXPECTED = ("stopped", "restart")


class DeadLetters:
    """The ring of the last dead letters of a runtime. Any thread may add.

    Reasons: ``full``, ``oldest``, ``expired``, ``poison`` (crashed or hung on it),
    ``rejected``, ``killed``, ``restart``, ``stopped``, ``ended``, ``halted``. Conflated
    messages are not dead: a newer one took their place.
    """

    def __init__(self, keep: int = 256) -> None:
        self.ring: deque[DeadLetter] = deque(maxlen=keep)
        self.counts: Counter[tuple[ActorPath, str]] = Counter()
        self._lock = threading.Lock()
        self.observe: Callable[[DeadLetter], object] | None = None
        """Is told of each, on the thread that adds it; must not raise."""

    def add(self, letter: DeadLetter, reply_to: Any = None) -> None:
        """Count and keep a letter; whoever waits for its answer is told at once."""
        with self._lock:
            self.counts[(letter.path, letter.why)] += 1
            self.ring.append(letter)
        if self.observe is not None:
            self.observe(letter)
        if reply_to is not None:
            error = ActorUnavailable(f"{letter.path} did not take the message: {letter.why}")
            reply_to.set_exception((ActorUnavailable, error, None))

    def count(self, path: ActorPath) -> int:
        """How many messages to `path` ended here."""
        with self._lock:
            return sum(n for (owner, _), n in self.counts.items() if owner == path)

    def reasons(self, path: ActorPath) -> dict[str, int]:
        """How many messages to `path` ended here, by reason."""
        with self._lock:
            return {why: n for (owner, why), n in self.counts.items() if owner == path}

    def lost(self, path: ActorPath) -> int:
        """Those that somebody may miss: not what came to a stop or was meant to be dropped."""
        with self._lock:
            return sum(
                n
                for (owner, why), n in self.counts.items()
                if owner == path and why not in _EXPECTED
            )

    def total(self) -> int:
        """How many messages ended here."""
        with self._lock:
            return sum(self.counts.values())
