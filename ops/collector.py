"""Python's cycle collector, kept from holding up a run: a full pass stops every thread for ms."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (5_000, 20, 20)
"""Containers that a young pass waits for, and passes that an older one waits for (700, 10, 10)."""


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
def seldom_collecting() -> Iterator[None]:
    """Leave out what is there now from every pass, and make passes rarer, while the block runs.

    To be entered once all is wired: that lives as long as the run does. What the run itself
    leaves behind is collected as ever.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
