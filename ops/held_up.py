"""The end of a process that a thread would hold up for ever: a person's own code may start some.

Python waits at its end for each thread that is no daemon. A strategy's that loops would keep a run
that has told its end, and let go of its directory, from ever being over.
"""

import os
import sys
import threading
import time
from contextlib import suppress

from actors.log import drain_log

PATIENCE_S = 3.0
"""So long such a thread may still finish what it does."""


def end_in_time(code: int) -> None:
    """See to it that the process ends with this code, also where a thread does not end."""
    if any(not thread.daemon for thread in _others()):
        with suppress(RuntimeError):  # no more threads can be started: it is over when those are
            threading.Thread(target=_leave, args=(code,), daemon=True).start()


def _others() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one is not threading.main_thread()]


def _leave(code: int) -> None:
    time.sleep(PATIENCE_S)
    names = ", ".join(one.name for one in _others() if not one.daemon)
    if not names:
        return  # they are over, and Python is at what comes after them
    with suppress(OSError, ValueError):  # nobody reads it any more
        text = f"watchkeeper: left behind at the end, for they do not end by themselves: {names}\n"
        sys.stderr.write(text)
        sys.stderr.flush()
    drain_log()
    os._exit(code)
