"""The crash rehearsal's connection that is refused: one placement finds nobody at its address.

An exchange cannot play it: what leaves by a connection that is open already is not refused. So the
client's request is sent to a port at which nobody listens, which its signature does not cover.
"""

import socket
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from messages.ids import ClientOrderId

HOST = "127.0.0.1"
Fetch = Callable[..., Coroutine[Any, Any, Any]]


class Refusal:
    """Refuses the connection of one order's next placement, once. `tell` is how others hear."""

    def __init__(self, client_order_id: ClientOrderId, tell: Callable[..., object]) -> None:
        self._name, self._tell = client_order_id, tell
        self._is_due = True

    def around(self, fetch: Fetch) -> Fetch:
        """Give what sends a client's requests, as `fetch` does, but for that one."""

        async def refusing(
            url: str, method: str = "GET", headers: Any = None, body: Any = None
        ) -> Any:
            if not self._is_due or method != "POST" or self._name not in f"{url} {body}":
                return await fetch(url, method, headers, body)
            self._is_due = False
            self._tell(event="refused")
            with socket.socket() as nobody:  # bound and not listening: the port is nobody else's
                nobody.bind((HOST, 0))
                port = nobody.getsockname()[1]
                elsewhere = urlsplit(url)._replace(netloc=f"{HOST}:{port}").geturl()
                return await fetch(elsewhere, method, headers, body)

        return refusing
