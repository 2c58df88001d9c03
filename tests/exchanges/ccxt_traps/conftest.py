"""A whole exchange, our venue at it, and an order that rests there."""

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_watch import StreamSettings
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from tests.exchanges.live import Desk, desk


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0, fees_in_bnb=True) as run:
        yield run


@pytest.fixture
def opened(run: RunningExchange) -> Iterator[Desk]:
    quick = StreamSettings(compare_every_ms=150, grace_ms=300, backoff_ms=20)
    with desk(run.ccxt_config(), stream=quick) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.002", limit_price="50000")
