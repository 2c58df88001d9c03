"""Python's cycle collector, kept from holding up a run: a full pass stops every thread for ms."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

THRESHOLDS = (5_000, 2, 200)
"""Containers that a young pass waits for, and passes that an older one waits for (700, 10, 10).

A pass of the middle age looks at what the young ones have left since the last: after twenty of
them, while orders by the thousand stay open, it took 8 to 14 ms, after two it takes 2.
"""
PASS_EVERY_S = 30.0
"""A full pass comes at the latest so often, for the counts say nothing of bytes.

By them alone it would come after two million containers, which is hours; and what is in rings by
then may be few objects with large buffers: what errors and their frames hold of a request.
"""


@contextmanager
def not_collecting() -> Iterator[None]:
    """Make no pass while the block runs, which imports, and leave out later what it has made."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def seldom_collecting() -> Iterator[Callable[[float], None]]:
    """Leave out what is there now from every pass, and make passes rarer, while the block runs.

    To be entered once all is wired: that lives as long as the run does. What the run itself
    leaves behind is collected by a full pass: whoever runs the block calls what it is given with
    the time in seconds, as often as it likes, and the pass is made when it is due.
    """
    before, due_s = gc.get_threshold(), 0.0

    def collect_when_due(now_s: float) -> None:
        nonlocal due_s
        if now_s >= due_s:
            due_s = now_s + PASS_EVERY_S
            gc.collect()

    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield collect_when_due
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
