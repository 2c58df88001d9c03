"""An aiohttp session by which nothing leaves unseen, unasked, or to where it was not sent."""

from typing import Any

from exchanges.ccxt_call import check_current_way, clear_current, current_call
from exchanges.ccxt_guard import guard


class Unguarded(Exception):
    """An order was about to leave unasked: a mistake of ours, or a new way of aiohttp's."""


class Redirected(Exception):
    """An order was answered with "ask elsewhere": it is not sent there a second time."""


def watch(session: Any) -> None:
    """Have each request of a session pass the fence of its call, and be seen when it leaves."""
    session.trace_configs.append(_trace())
    guard(session, clear_current)


def _trace() -> Any:
    """See the first bytes of a request leave, and stop redirects of what is no question."""
    import aiohttp

    async def headers_sent(_session: Any, _context: Any, params: Any) -> None:
        call = current_call()
        check_current_way(str(params.url))
        if call is not None and not call.is_cleared:  # aiohttp asks this before it writes
            raise Unguarded("a request had a connection without having passed its fence")
        if call is not None:
            call.bytes_left = True

    async def redirect(_session: Any, _context: Any, params: Any) -> None:
        if params.method not in ("GET", "HEAD"):
            raise Redirected(f"{params.method} {params.url.path} was redirected")

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(headers_sent)
    trace.on_request_redirect.append(redirect)
    trace.freeze()
    return trace
