"""Ctrl-C and SIGTERM end a search between two of its steps, and anything else at once.

What a handler raises in the middle of a step is not sure to arrive: in a `__del__` it is dropped,
and the search would go on; within a library it may come out as another error. So while a search
runs a signal is only noted.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

BOTH = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end all of it as Ctrl-C does; only the main thread may say so.

    Raises:
        KeyboardInterrupt: one came.
    """
    with _handled(lambda *_: _interrupt(), signal.SIGTERM):
        yield


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Note a signal while the block runs, and give whether one came; a second one ends it at once.

    Raises:
        KeyboardInterrupt: a second one came.
    """
    came = False

    def note(_: int, __: FrameType | None) -> None:
        nonlocal came
        if came:
            _interrupt()
        came = True

    with _handled(note, *BOTH):
        yield lambda: came


def _interrupt() -> None:
    raise KeyboardInterrupt


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None], *numbers: int) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with contextlib.ExitStack() as stack:
        for number in numbers:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:  # as that of a run in the background of a shell
                signal.signal(number, handler)
                stack.callback(signal.signal, number, before)
        yield
