"""Messages of a JetStream stream, in its order and without a hole, for who asks for them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from exchanges.nats_answers import Stored, description_in, status_in, stored_in

HEARTBEAT_S = 2.0
"""How often the server says, where it has no message, that it still would."""
_ALIVE, _OVER = ("100",), ("404", "408")
"""Status of a pull: nothing yet; nothing more, ask again."""


class BusLost(Exception):
    """The connection, or what was asked over it, is lost; the text says how."""


class NotLetIn(BusLost):
    """The server is there; a login, a certificate or the file with one is not as it should be."""


class NotThere(BusLost):
    """Nobody answers at the address, or not yet."""


class Asks(Protocol):
    """The connection that a reading is over."""

    async def ask_for(self, consumer: str, count: int, inbox: str) -> None:
        """Ask for the next messages."""

    async def end_reading(self, consumer: str, inbox: str) -> None:
        """Have no more of them."""


class Reading:
    """Messages of a stream, in its order and without a hole."""

    def __init__(
        self, client: Asks, name: str, pending: int, room: Callable[[], Awaitable[int]]
    ) -> None:
        self.pending = pending
        """How many there were when it began."""
        self.inbox = ""
        self._client, self._name, self._room = client, name, room
        self._waiting: deque[Any] = deque()
        self._news = asyncio.Event()

    async def take(self, message: Any) -> None:
        """Hold what the server gave until it is asked for; never more than there was room for."""
        self._waiting.append(message)
        self._news.set()

    async def up_to(self, last: int) -> AsyncIterator[Stored]:
        """Give them up to a place, or as far as there are any, and read on no more.

        Raises:
            BusLost: see `messages`; or some were gone before they were read.
        """
        if self.pending:
            async for stored in self.messages():
                if stored is None:
                    raise BusLost("the stream no longer has what was to be read")
                yield stored
                if stored.place >= last or not stored.behind:
                    break
        await self._client.end_reading(self._name, self.inbox)

    async def messages(self) -> AsyncIterator[Stored | None]:
        """Give them as they come, without end; None where the server says that it has none now.

        Raises:
            BusLost: the server went silent, or one got lost on its way; begin again behind the
                last one.
        """
        number = 0
        while True:
            left = await self._room()
            await self._client.ask_for(self._name, left, self.inbox)
            while left:
                message = await self._next()
                status = status_in(message)
                if status in _ALIVE:
                    yield None
                    continue
                if status in _OVER:
                    break
                if status is not None:
                    raise BusLost(f"the server gives no more: {description_in(message)}")
                stored = stored_in(message)
                number, left = number + 1, left - 1
                if stored.number != number:
                    raise BusLost(f"{stored.number - number} messages were lost on their way")
                yield stored

    async def _next(self) -> Any:
        if not self._waiting:
            self._news.clear()
            try:
                async with asyncio.timeout(3 * HEARTBEAT_S):
                    await self._news.wait()
            except TimeoutError:
                silent_s = 3 * HEARTBEAT_S
                raise BusLost(f"the server was silent for {silent_s:.0f} s") from None
        return self._waiting.popleft()
