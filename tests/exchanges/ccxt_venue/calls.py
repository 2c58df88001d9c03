"""What the tests of the venue at a whole exchange ask of it."""

import threading
import time
from collections.abc import Callable

from exchanges.local.server import RunningExchange
from exchanges.protocol import NewOrder
from messages.ids import NS_PER_MS
from messages.orders import OrderReport
from tests.exchanges.live import Desk, find

WINDOW_NS = 14_500 * NS_PER_MS
"""Receive window, engine and read lag."""


def found(desk: Desk, order: NewOrder) -> OrderReport:
    report = find(desk, order)
    assert report is not None
    return report


def time_passes(run: RunningExchange, desk: Desk, by_ms: int) -> None:
    """Move the venue's clock, and the one that ccxt signs by with it."""
    run.exchange.skew_clock(by_ms)
    desk.venue._client.options["timeDifference"] = -by_ms


def until(is_so: Callable[[], bool], limit_s: float = 60.0) -> bool:
    """Wait for what another thread brings about."""
    deadline = time.monotonic() + limit_s
    while not is_so() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return is_so()
