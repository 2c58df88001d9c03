"""Work of some milliseconds in a few turns of the interpreter, and not in eighty.

A live run lets its threads take turns of 50 us, for its orders' sake. Whoever has 4 ms of work then
waits eighty times for all others: the text of `/metrics` took up to 150 ms beside a run that keeps
a processor busy. While such work is done, once in ten seconds or so, everybody's turns are longer.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGER_S = 500e-6
"""What an order may wait for a turn meanwhile."""

_HALF_US = 0.5e-6
_lock = threading.Lock()
_busy = 0
_before_s = 0.0


@contextmanager
def longer_turns() -> Iterator[None]:
    """Let turns be longer until the last of those who asked for it is done; any thread."""
    global _busy, _before_s
    with _lock:
        if not _busy:
            _before_s = sys.getswitchinterval()
            sys.setswitchinterval(max(_before_s + _HALF_US, LONGER_S))
        _busy += 1
    try:
        yield
    finally:
        with _lock:
            _busy -= 1
            if not _busy:
                # Whole microseconds are kept, and cut: given back as told, it would be one less.
                sys.setswitchinterval(_before_s + _HALF_US)
