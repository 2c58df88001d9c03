"""A signal ends what only waits, and so does one that Python has dropped.

What a handler raises within a `__del__` goes nowhere but to stderr, with a traceback, and a refused
exchange leaves objects that have one: a Ctrl-C in the instant in which they are let go of would be
lost.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class _Told(KeyboardInterrupt):
    """A signal came. Not SystemExit: what catches a strategy's `sys.exit` would catch it too."""


class Signals:
    """Which one came, while a block waits. The main thread's."""

    told = 0
    """Its number; 0 for none."""
    heir: Callable[[int], object] | None = None
    """Who is told of each from now on, instead of the block."""

    def check(self) -> None:
        """Raise for one that came, though it was raised for before and somebody swallowed it.

        Raises:
            KeyboardInterrupt: one came.
        """
        if self.told and self.heir is None:
            raise _Told

    def hand_to(self, heir: Callable[[int], object]) -> None:
        """Tell another of what comes from now on, and raise nothing more; of what came, too."""
        self.heir = heir
        _OPEN.clear()
        if self.told:
            heir(self.told)

    def pause(self, seconds: float) -> None:
        """Sleep, unless one came."""
        self.check()
        time.sleep(seconds)


_OPEN: list[Signals] = []
"""That of the outermost block: one within it is a part of it."""


@contextmanager
def ended_by_signals() -> Iterator[Signals]:
    """End in order while nothing is traded yet; the first process of a container would not end.

    A second one ends it at once. A SIGINT or SIGHUP that is ignored, or is somebody else's already,
    stays so. Blocks within a block are parts of it.

    Raises:
        SystemExit: a SIGTERM came, or the terminal went, whatever was made of it on the way out.
        KeyboardInterrupt: a SIGINT, likewise.
    """
    if _OPEN:
        outer = _OPEN[0]
        try:
            yield outer
        finally:
            outer.check()
        return
    signals = Signals()
    with _heard(signals):
        try:
            _OPEN.append(signals)
            signals.check()  # for one that came before it could be raised
            yield signals
        except BaseException:
            if signals.told and signals.heir is None:
                raise _end_for(signals.told) from None
            raise
        finally:
            _OPEN.clear()  # from now on one is noted
    if signals.told and signals.heir is None:  # and somebody has swallowed it
        signal.raise_signal(signals.told)  # it is for who listens now


@contextmanager
def _heard(signals: Signals) -> Iterator[None]:
    def leave(number: int, _: object) -> None:
        if signals.heir is not None:
            signals.heir(number)
            return
        is_first = not signals.told
        if number == signal.SIGHUP:  # a terminal that goes sends two, and a session's end one more
            signals.told = signals.told or number
        elif signals.told not in (0, signal.SIGHUP):
            os._exit(128 + number)
        else:
            signals.told = number
        if is_first and _OPEN:
            raise _Told

    before, hook = _ours(), sys.unraisablehook
    try:
        sys.unraisablehook = lambda lost: None if issubclass(lost.exc_type, _Told) else hook(lost)
        for number in before:
            signal.signal(number, leave)
        yield
    finally:
        if signals.heir is None:
            for number, handler in before.items():
                signal.signal(number, handler)
        sys.unraisablehook = hook


def _ours() -> dict[signal.Signals, Any]:
    """Give what is heard, with who has heard it until now."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    found = {number: signal.getsignal(number) for number in usual}
    ours = {number: handler for number, handler in found.items() if handler is usual[number]}
    return {signal.SIGTERM: signal.getsignal(signal.SIGTERM), **ours}


def _end_for(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(0)
