"""How a connection to NATS ends: told at once when it breaks, and with nothing of it left behind.

nats-py, as it ends a connection that has broken, first writes what it still has to send. The
socket takes none of it, so it fails, or waits for ever, before it tells anybody, and what listens
to its subscriptions lives on. What is unsent is the caller's to send again, who saw no answer.

Nor does it tell anybody when it cannot read what has come: it reads no more, and answers no ping.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

_GOODBYE_S = 2.0
_UNREADABLE = "what the server sent cannot be read"


def that_ends(kind: Any) -> Any:
    """Give a kind of nats-py's client that drops what a broken connection did not take.

    A connection that is no longer read is a broken one.
    """

    class Ending(kind):  # type: ignore[misc]  # nats-py has no types where it is not installed
        async def _process_op_err(self, error: Exception) -> None:
            if not self.is_closed:
                self._pending: list[bytes] = []
                self._pending_data_size = 0
                _cut(self)
            await super()._process_op_err(error)

        async def _read_loop(self) -> None:
            await super()._read_loop()
            task = asyncio.current_task()
            if not self.is_closed and not (task and task.cancelling()):  # it swallows that, too
                error = OSError(_UNREADABLE)
                await self._error_cb(error)
                await self._process_op_err(error)

    return Ending


async def let_go(client: Any, limit_s: float = _GOODBYE_S) -> None:
    """Close a connection, whatever state it is in; what is not sent within the limit never is."""
    try:
        await _within(limit_s, client.close())
    finally:
        # A client that is ending itself, in a task that nobody waits for, lets a second `close`
        # return at once; and when its loop ends first, its socket is never closed.
        for subscription in list(client._subs.values()):
            subscription._stop_processing()
        _cut(client)
        if client._transport is not None:
            await _within(limit_s, client._transport.wait_closed())


def _cut(client: Any) -> None:
    """Close the socket now: an orderly end would wait until the peer has taken what is unsent."""
    if client._transport:  # also false of one that never was connected
        client._transport._io_writer.transport.abort()


async def _within(limit_s: float, closing: Coroutine[Any, Any, object]) -> None:
    """Wait for an end that may never be told: that of a connection whose TLS has failed.

    It may also be told as a cancellation, which is none of ours.
    """
    task = asyncio.ensure_future(closing)
    task.add_done_callback(_look_at)
    try:
        await asyncio.wait({task}, timeout=limit_s)
    finally:
        task.cancel()


def _look_at(task: "asyncio.Future[Any]") -> None:
    """See how it ended, so that nobody is told that it was never looked at."""
    if not task.cancelled():
        task.exception()
