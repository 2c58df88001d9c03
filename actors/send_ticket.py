"""Leave to send one order, given once: what is signed ahead waits for it, and is dropped without.

The executor prepares an order before its claim is committed, and opens its ticket when the
commit has returned. Whatever else happens, the ticket stays closed and then is void.
"""

import asyncio
import threading
from collections.abc import Callable
from enum import StrEnum

from exchanges.protocol import HOLD_MS, NewOrder
from messages.errors import NotSent

Fence = Callable[[], None]


class TicketState(StrEnum):
    """From closed to one of the others, and no further."""

    CLOSED = "closed"
    OPEN = "open"
    VOID = "void"


class SendTicket:
    """`open`, `void` and `fence` may be called from any thread; `ready` runs on the venue's loop.

    `call` calls something on that loop, soon.
    """

    def __init__(
        self, order: NewOrder, call: Callable[[Callable[[], object]], None], hold_ms: int = HOLD_MS
    ) -> None:
        self.order = order
        self._call = call
        self._hold_s = hold_ms / 1_000
        self._lock = threading.Lock()
        self._state = TicketState.CLOSED
        self._fence: Fence | None = None
        self._waiting: asyncio.Future[None] | None = None

    @property
    def state(self) -> TicketState:
        """Where it stands now; of another thread's it may be otherwise a moment later."""
        return self._state

    @property
    def is_waited_for(self) -> bool:
        """Whether a signed request has come as far as this ticket."""
        return self._waiting is not None

    def open(self, fence: Fence) -> bool:
        """Let the order leave, past this fence. False: it never will, on this ticket."""
        return self._end(TicketState.OPEN, fence)

    def void(self) -> bool:
        """See to it that the order never leaves on this ticket. False: it was opened before."""
        return self._end(TicketState.VOID, None) or self._state is TicketState.VOID

    def fence(self) -> None:
        """Stop the request, unless the ticket is open and the fence that it was given lets it pass.

        Raises:
            NotSent: it may not leave.
        """
        with self._lock:
            state, fence = self._state, self._fence
        if state is not TicketState.OPEN or fence is None:
            raise NotSent(f"its ticket is {state}: it is not durable that it is to be sent")
        fence()

    async def ready(self) -> None:
        """Wait until the ticket is open.

        Raises:
            NotSent: it is void, or was not opened in time, which makes it void.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._state is TicketState.CLOSED:
                self._waiting = loop.create_future()
        if self._waiting is not None:
            timer = loop.call_later(self._hold_s, self._give_up)
            try:
                await self._waiting
            finally:
                timer.cancel()
        if self._state is not TicketState.OPEN:
            raise NotSent(f"its ticket is {self._state}")

    def _end(self, state: TicketState, fence: Fence | None) -> bool:
        with self._lock:
            if self._state is not TicketState.CLOSED:
                return False
            self._state, self._fence = state, fence
            waits = self._waiting is not None
        if waits:
            self._call(self._go_on)
        return True

    def _give_up(self) -> None:
        """Void it; should it be open already, and the word of that lost, go on all the same."""
        self.void()
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
