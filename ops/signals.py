"""A signal ends what only waits, and so does one that Python has dropped.

What a handler raises within a `__del__` goes nowhere but to stderr, with a traceback, and a refused
exchange leaves objects that have one: a Ctrl-C in the instant in which they are let go of would be
lost.
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class _Told(KeyboardInterrupt):
    """A signal came. Not SystemExit: what catches a strategy's `sys.exit` would catch it too."""


class Signals:
    """Which one came, while a block waits. The main thread's."""

    told = 0
    """Its number; 0 for none."""

    def check(self) -> None:
        """Raise for one that came, though it was raised for before and somebody swallowed it.

        Raises:
            KeyboardInterrupt: one came.
        """
        if self.told:
            raise _Told

    def pause(self, seconds: float) -> None:
        """Sleep, unless one came."""
        self.check()
        time.sleep(seconds)


@contextmanager
def ended_by_signals() -> Iterator[Signals]:
    """End in order while nothing is traded yet; the first process of a container would not end.

    A SIGINT that is ignored, or is somebody else's already, stays so.

    Raises:
        SystemExit: a SIGTERM came, whatever was made of it on the way out.
        KeyboardInterrupt: a SIGINT, likewise.
    """
    signals, is_over = Signals(), False

    def leave(number: int, _: object) -> None:
        signals.told = number
        if not is_over:
            raise _Told

    before = {signal.SIGTERM: signal.getsignal(signal.SIGTERM)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.default_int_handler
    hook = sys.unraisablehook
    try:
        sys.unraisablehook = lambda lost: None if issubclass(lost.exc_type, _Told) else hook(lost)
        for number in before:
            signal.signal(number, leave)
        yield signals
    except BaseException:
        if signals.told == signal.SIGTERM:
            raise SystemExit(0) from None
        if signals.told:
            raise KeyboardInterrupt from None
        raise
    finally:
        is_over = True
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
    if signals.told:  # and somebody has swallowed it: it is for who listens now
        signal.raise_signal(signals.told)
