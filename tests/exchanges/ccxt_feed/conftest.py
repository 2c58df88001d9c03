"""An exchange for a feed to follow: one whose market goes on, and one that stands still."""

from collections.abc import Iterator

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange, running_exchange

SPEED = 300.0
"""Market seconds per second: five candles a second."""


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=SPEED) as run:
        yield run


@pytest.fixture
def still() -> Iterator[RunningExchange]:
    """An exchange whose market moves only when it is told to."""
    with running_exchange(seed=5, speed=0) as run:
        yield run
