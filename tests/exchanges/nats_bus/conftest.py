"""A NATS server of these tests' own, and publishers and readers that end with the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.exchanges.bus_run import Following, Publishing
from tests.exchanges.nats_bus.market import raw
from tests.exchanges.nats_server import NatsServer, nats_server


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("jetstream")) as server:
        yield server


@pytest.fixture
def server(shared: NatsServer) -> NatsServer:
    """The server, without a stream."""
    raw(shared, lambda client: client._api("STREAM.DELETE.market"))
    return shared


@pytest.fixture
def publishing() -> Iterator[Callable[..., Publishing]]:
    made: list[Publishing] = []

    def make(*arguments: Any, **more: Any) -> Publishing:
        made.append(Publishing(*arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def following() -> Iterator[Callable[..., Following]]:
    made: list[Following] = []

    def make(*arguments: Any, **more: Any) -> Following:
        made.append(Following(*arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()
