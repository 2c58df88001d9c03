"""The last place before the wire: a connection is given to a request only once it may leave.

By the time a request has its connection it is built and signed, and without one it cannot be
written: so this is later than a fence in front of the HTTP client, and as sure.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

Clear = Callable[[], None]


class Misrouted(Exception):
    """A request was about to go where its caller does not let it: it did not leave."""


def check_way(url: str, only_to: str) -> None:
    """Pass a request to an address whose path ends so; with no `only_to`, any.

    Raises:
        Misrouted: it would go elsewhere.
    """
    path = urlsplit(url).path
    if only_to and not path.endswith(only_to):
        raise Misrouted(f"to {path or 'no path'}, not to {only_to}")


def is_guarded(session: Any) -> bool:
    """Whether a session's connections are given out by `guard`."""
    return getattr(session.connector, "guarded_by", None) is not None


def guard(session: Any, clear: Clear) -> None:
    """Give no connection of an aiohttp session to a request before `clear` has returned.

    `clear` is called in the request's own task. What it raises stops the request, and the
    connection can be used by the next. From its end to the write aiohttp waits for nothing but,
    before Python 3.12, the next turn of the loop.
    """
    connector = session.connector
    connect = connector.connect

    async def guarded(*request: Any, **how: Any) -> Any:
        connection = await connect(*request, **how)
        try:
            clear()
        except BaseException:
            connection.release()
            raise
        return connection

    connector.connect = guarded
    connector.guarded_by = clear
