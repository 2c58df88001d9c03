"""A connection that breaks with something unsent: told at once, and nothing of it is left."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from exchanges.nats_client import NatsClient
from exchanges.nats_reading import BusLost
from exchanges.venue_loop import VenueLoop
from tests.exchanges.bus_run import LIMIT_S, at
from tests.exchanges.nats_bus.market import MARKS
from tests.exchanges.nats_server import NatsServer, nats_server

pytestmark = MARKS

MUCH = 20_000_000
"""More than what lies between two processes, in bytes."""
SEVERAL = 4


async def listening(server: NatsServer) -> NatsClient:
    """Connect as a publisher does: asked once, and listening for answers."""
    client = NatsClient(at(server.url), "a test")
    await client.connect()
    await client.facts()
    await client.open_acks(lambda _token, _ack: None)
    return client


async def publish(client: NatsClient, size: int, count: int) -> None:
    with suppress(BusLost):
        for _ in range(count):
            await client.publish("somewhere", b"0" * size)
            await asyncio.sleep(0)


async def stop(server: NatsServer, client: NatsClient) -> None:
    """Have the server take nothing more, and the client full of what it has to send."""
    server.send(signal.SIGSTOP)
    with suppress(TimeoutError):
        await asyncio.wait_for(publish(client, 50_000, MUCH // 50_000), 0.5)


async def left_behind(server: NatsServer, strike: Callable[[NatsClient], Awaitable[Any]]) -> int:
    """Publish, have it struck, close; give how many tasks live on."""
    client = await listening(server)
    publishing = [asyncio.ensure_future(publish(client, 1, 1_000_000)) for _ in range(SEVERAL)]
    await asyncio.sleep(0.1)
    await strike(client)
    for one in publishing:
        one.cancel()
    await asyncio.wait(publishing)
    transport = client._nats._transport
    await client.close()
    assert transport._io_writer.transport.is_closing()
    assert not transport._io_writer.transport.get_write_buffer_size()
    return len(asyncio.all_tasks() - {asyncio.current_task()})


def run(server: NatsServer, strike: Callable[[NatsClient], Awaitable[Any]]) -> None:
    problems: list[str] = []
    loop = VenueLoop("a-test", problems.append)
    loop.start()
    try:
        assert loop.submit(left_behind(server, strike)).result(LIMIT_S) == 0
    finally:
        assert loop.close(LIMIT_S)
    gc.collect()
    assert problems == []


def test_that_of_a_server_that_was_killed(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:

        async def kill(client: NatsClient) -> None:
            server.kill()
            await asyncio.wait_for(client.closed.wait(), LIMIT_S)

        run(server, kill)


def test_that_of_a_server_of_which_something_cannot_be_read(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:

        async def puzzle(client: NatsClient) -> None:
            async def parse(_: bytes) -> None:
                raise IndexError

            client._nats._ps.parse = parse
            with suppress(BusLost):
                await client.facts()
            await asyncio.wait_for(client.closed.wait(), LIMIT_S)
            assert client.reason == "what the server sent cannot be read"

        run(server, puzzle)


@pytest.mark.slow  # three pings, two seconds each
def test_that_of_a_server_that_takes_nothing_more_and_answers_no_ping(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:

        async def hang(client: NatsClient) -> None:
            await stop(server, client)
            await asyncio.wait_for(client.closed.wait(), LIMIT_S)

        run(server, hang)


@pytest.mark.slow  # the two seconds of a goodbye
def test_that_of_a_server_that_takes_nothing_more_and_is_let_go_of(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:
        run(server, lambda client: stop(server, client))
