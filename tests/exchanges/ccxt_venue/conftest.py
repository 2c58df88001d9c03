"""A whole exchange and one venue at it, for all the tests here; each finds them as new."""

import itertools
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from tests.exchanges.live import Desk, desk

numbers = itertools.count()


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0) as run:
        yield run


@pytest.fixture
def run(exchange: RunningExchange) -> Iterator[RunningExchange]:
    yield exchange
    exchange.exchange.disarm()
    exchange.exchange.skew_clock(0)
    for order in exchange.exchange.open_orders("BTC/USDT"):
        exchange.exchange.expire_order(order.client_order_id)


@pytest.fixture(scope="module")
def shared_desk(exchange: RunningExchange) -> Iterator[Desk]:
    with desk(exchange.ccxt_config()) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def opened(shared_desk: Desk, run: RunningExchange) -> Iterator[Desk]:
    """The venue, just answered: it does not believe that the last test's exchange is away."""
    shared_desk.call(shared_desk.venue.balances())
    yield shared_desk
    shared_desk.venue._client.options["timeDifference"] = 0


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> Callable[..., NewOrder]:
    """A buy far below the market, with an id of its own."""
    return lambda **changes: order(
        f"wk{next(numbers):022d}", **({"quantity": "0.001", "limit_price": "50000"} | changes)
    )


@pytest.fixture
def taking(order: Callable[..., NewOrder]) -> Callable[..., NewOrder]:
    """A market buy, with an id of its own."""
    return lambda **changes: order(f"wk{next(numbers):022d}", **({"quantity": "0.001"} | changes))
