"""Whether a next publisher has what is followed: a stream that passed the gate may have less."""

import asyncio
from collections.abc import Awaitable, Callable


class Successor:
    """One feed's, over all its connections, on its loop; `ask` passes the gate once more."""

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self._ask = ask
        self._writer = ""
        self._is_another = asyncio.Event()

    def hear(self, writer: str) -> None:
        """Learn who publishes. The first one may have begun since the gate was passed."""
        if writer != self._writer:
            self._writer = writer
            self._is_another.set()

    async def watch(self) -> None:
        """Ask each time that it is another one.

        Raises:
            VenueRefused: it does not publish what is followed.
        """
        while True:
            await self._is_another.wait()
            self._is_another.clear()
            await self._ask()
