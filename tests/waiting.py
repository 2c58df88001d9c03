"""Waiting for what another process or thread does, and tells nobody of."""

import threading
import time
from collections.abc import Callable
from typing import Any

TICK_S = 0.05


def until(what: Callable[[], Any], limit_s: float = 60.0) -> Any:
    """Wait for something true, and give it."""
    tick, deadline = threading.Event(), time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to that"
        tick.wait(TICK_S)
    return found
