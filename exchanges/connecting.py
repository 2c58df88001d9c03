"""How long sockets may take to connect, and what to do where they do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from messages.errors import VenueAway


@asynccontextmanager
async def connecting(what: str, limit_ms: int) -> AsyncIterator[None]:
    """Limit what is awaited inside.

    Raises:
        VenueAway: it took too long; a firewall may let REST through, and no web socket.
    """
    try:
        async with asyncio.timeout(limit_ms / 1000):
            yield
    except TimeoutError as error:
        raise VenueAway(
            f"{what} did not connect within {limit_ms / 1000:g} s: check that the network and the"
            " proxy let web sockets through"
        ) from error
