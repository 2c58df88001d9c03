"""Letting go of a client, whatever happens to whoever lets it go."""

import asyncio

from exchanges.ccxt_client import close_client
from tests.cancelling import heeds_a_cancellation


class Client:
    """Closes when it is told that all of its sessions have."""

    timeout_on_exit = 250

    def __init__(self, closed: asyncio.Event) -> None:
        self._closed = closed

    async def close(self) -> None:
        await self._closed.wait()


def test_who_is_cancelled_while_it_closes_a_client_is_cancelled_also_as_that_ends() -> None:
    """A feed between two connections went on then, and whoever ended it waited without end."""
    assert asyncio.run(heeds_a_cancellation(lambda closed: close_client(Client(closed))))


def test_what_does_not_close_in_time_is_left() -> None:
    asyncio.run(close_client(Client(asyncio.Event()), limit_s=0.01))
