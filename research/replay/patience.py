"""How long a strategy's code may take over one event: then it is interrupted, and that is told.

The kernel's timer calls in the main thread, which is where a replay runs its strategies. So code
that loops is interrupted, and so is code that waits; code that catches even that is left with its
process. Only what is inside a call into C that looks at no signal is not reached.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

LIMIT_S = 60.0
LEFT_WITH_THE_PROCESS = 1
"""The exit code then: what was replayed by then is not all of it."""
_LOOK_S = 1.0
_MOST_IGNORED = 20
"""So often it is interrupted; warm-up goes on behind an event that is, and may meet many."""


class Hung(BaseException):
    """Raised in code that does not come on. Not an Exception: a strategy may catch all of those."""


class Patience:
    """Looks after what goes on between `begin` and `end`, inside `watching`."""

    def __init__(
        self, limit_s: float = LIMIT_S, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit_s, self._clock_s = limit_s, clock_s
        self._mark: Callable[[], object] | None = None
        self._what: Callable[[], str] = str
        self._seen: object = None
        self._since_s = 0.0
        self._ignored = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have the main thread interrupted; in another one nobody looks, and nothing is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        look_s, began_s = min(_LOOK_S, self.limit_s / 4), time.monotonic()
        handler = signal.signal(signal.SIGALRM, self._look)
        left_s, every_s = signal.setitimer(signal.ITIMER_REAL, look_s, look_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            if left_s:  # somebody else's, a test's perhaps
                left_s = max(left_s - (time.monotonic() - began_s), 0.001)
                signal.setitimer(signal.ITIMER_REAL, left_s, every_s)

    def begin(self, mark: Callable[[], object], what: Callable[[], str]) -> None:
        """Begin to count. `mark` is another value when it came on; `what` says what it is at."""
        self._since_s, self._seen, self._ignored = self._clock_s(), mark(), 0
        self._mark, self._what = mark, what

    def end(self) -> None:
        """It is through."""
        self._mark = None

    def _look(self, _: int, __: FrameType | None) -> None:
        if self._mark is None:
            return
        now_s, seen = self._clock_s(), self._mark()
        if seen != self._seen:
            self._since_s, self._seen, self._ignored = now_s, seen, 0
        elif now_s - self._since_s >= self.limit_s:
            self._ignored += 1
            if self._ignored > _MOST_IGNORED:
                self._leave()
            raise Hung

    def _leave(self) -> None:
        text = f"{self._what()} does not come back within {self.limit_s:g} s, and catches whatever"
        sys.stdout.flush()
        sys.stderr.write(f"\nwatchkeeper: {text} interrupts it: the replay ends here\n")
        sys.stderr.flush()
        os._exit(LEFT_WITH_THE_PROCESS)


def last_line(error: Hung) -> str:
    """Say where it was interrupted."""
    *_, last, _here = traceback.extract_tb(error.__traceback__)
    return f"{last.filename}:{last.lineno}"
