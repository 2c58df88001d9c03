"""The last place before the wire: a connection is given to a request only once it may leave.

By the time a request has its connection it is built and signed, and without one it cannot be
written: so this is later than a fence in front of the HTTP client, and as sure.
"""

from collections.abc import Callable
from typing import Any

Clear = Callable[[], None]


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
