"""How long a strategy's code may take, over one event or to be loaded: then it is interrupted.

The kernel's timer calls in the main thread, which is where strategies run. So code that loops is
interrupted, and so is code that waits; code that catches even that is left with its process. Only
what is inside a call into C that looks at no signal is not reached.
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
from typing import TypeVar

from messages.errors import ConfigError

LIMIT_S = 60.0
LEFT_WITH_THE_PROCESS = 1
"""The exit code then: what was done by then is not all of it."""
_LOOK_S = 1.0
Given = TypeVar("Given")
_MOST_IGNORED = 20
"""So often it is interrupted; warm-up goes on behind an event that is, and may meet many."""


class Hung(BaseException):
    """Raised in code that does not come on. Not an Exception: a strategy may catch all of those."""


class Stillness:
    """For how long something has been the same, by whoever looks every `look_s` or so.

    Between two looks no more than twice that is counted: while the process was stopped (Ctrl-Z) or
    the machine slept, nothing came on, and nothing hung.
    """

    def __init__(self, look_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._most_s, self._clock_s = 2 * look_s, clock_s
        self.begin(None)

    def begin(self, seen: object) -> None:
        """Count from now on."""
        self._seen, self._looked_s, self.still_s = seen, self._clock_s(), 0.0

    def look(self, seen: object) -> float:
        """Give for how many seconds it has been this."""
        now_s = self._clock_s()
        if seen != self._seen:
            self._seen, self.still_s = seen, 0.0
        else:
            self.still_s += min(now_s - self._looked_s, self._most_s)
        self._looked_s = now_s
        return self.still_s


class Patience:
    """Looks after the work that is done `over` it, inside `watching`.

    `work` is what ends where the process has to be left, which `last_word` is told. `beat` is
    called at each look, so it falls silent in a call into C that looks at no signal: who hears it
    may end the process.
    """

    def __init__(
        self,
        limit_s: float = LIMIT_S,
        clock_s: Callable[[], float] = time.monotonic,
        *,
        work: str = "replay",
        last_word: Callable[[str], object] | None = None,
        beat: Callable[[], object] = bool,
        exit_code: int = LEFT_WITH_THE_PROCESS,
    ) -> None:
        self.limit_s = limit_s
        self._look_s = min(_LOOK_S, limit_s / 4)
        self._work, self._beat, self._last_word = work, beat, last_word or _to_stderr
        self._exit_code = exit_code
        self._mark: Callable[[], object] | None = None
        self._what: Callable[[], str] = str
        self._stillness = Stillness(self._look_s, clock_s)
        self._ignored = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have the main thread interrupted; in another one nobody looks, and nothing is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        look_s, began_s = self._look_s, time.monotonic()
        handler = signal.signal(signal.SIGALRM, self._look)
        left_s, every_s = signal.setitimer(signal.ITIMER_REAL, look_s, look_s)
        try:
            with _looking():
                yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            if left_s:  # somebody else's, a test's perhaps
                left_s = max(left_s - (time.monotonic() - began_s), 0.001)
                signal.setitimer(signal.ITIMER_REAL, left_s, every_s)

    def over(
        self,
        work: Callable[[], Given],
        mark: Callable[[], object] | None = None,
        what: Callable[[], str] = str,
    ) -> Given:
        """Do it, interrupted where it does not come back; no look comes behind its end.

        Without a mark nothing counts until the work says `begin`.

        Raises:
            Hung: it was interrupted; or what it raises.
        """
        try:
            if mark is not None:
                self.begin(mark, what)
            return work()
        finally:
            self._end()

    def begin(self, mark: Callable[[], object], what: Callable[[], str]) -> None:
        """Begin to count. `mark` is another value when it came on; `what` says what it is at."""
        self._stillness.begin(mark())
        self._ignored = 0
        self._mark, self._what = mark, what

    def _end(self) -> None:
        self._mark = None
        self._stillness.begin(None)

    def _look(self, _: int, frame: FrameType | None) -> None:
        self._beat()
        if self._mark is None or not _is_work(frame):
            return
        still_s = self._stillness.look(self._mark())
        if not still_s:
            self._ignored = 0
        elif still_s >= self.limit_s:
            self._ignored += 1
            if self._ignored > _MOST_IGNORED:
                self._leave()
            raise Hung

    def _leave(self) -> None:
        text = f"{self._what()} does not come back within {self.limit_s:g} s, and catches whatever"
        self._last_word(f"{text} interrupts it: the {self._work} ends here")
        os._exit(self._exit_code)


_BESIDE_THE_WORK = (Patience.over.__code__, Patience._end.__code__)


def _is_work(frame: FrameType | None) -> bool:
    """Tell whether it is the work that is interrupted.

    It may have come back, or a look may have come during another one, which may have come behind
    the work's end: what was raised there would come out of it a second time.
    """
    if frame is not None and frame.f_code in _BESIDE_THE_WORK:
        return False
    while frame is not None and frame.f_code is not Patience._look.__code__:
        frame = frame.f_back
    return frame is None


_LOOKING = 0
"""How many are `watching` in the main thread."""


@contextmanager
def _looking() -> Iterator[None]:
    global _LOOKING
    _LOOKING += 1
    try:
        yield
    finally:
        _LOOKING -= 1


def is_watched() -> bool:
    """Whether somebody is `watching` the main thread, by a limit of their own."""
    return _LOOKING > 0


def _to_stderr(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"\nwatchkeeper: {text}\n")
    sys.stderr.flush()


def loaded(patience: Patience, load: Callable[[], Given], what: str = "loading it") -> Given:
    """Load strategies' files, inside `watching`: a file's first level is code too.

    Raises:
        ConfigError: it loops or waits; or what `load` raises.
    """
    told = f"a strategy's file: {what}"
    try:
        return patience.over(load, lambda: None, lambda: told)
    except Hung as error:
        text = f"{told} did not end within {patience.limit_s:g} s"
        raise ConfigError([f"{text}: {last_line(error)}"]) from error


def last_line(error: Hung) -> str:
    """Say where it was interrupted."""
    *_, last, _here = traceback.extract_tb(error.__traceback__)
    return f"{last.filename}:{last.lineno}"
