"""The pages of `dashboard --serve`. The only file that imports starlette."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from secrets import compare_digest

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from ops.dashboard.board import LiveBoard
from ops.dashboard.page import page, policy

_COOKIE = "watchkeeper_dashboard"
_EVENTS = "/events"
_OTHERS = ("cross-site", "same-site")
_WATCHERS = 16
"""Streams at once; each page holds one."""
_HEARTBEAT_S = 15.0
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[Request], Awaitable[Response]]


def make_app(board: LiveBoard, *, token: str, hosts: tuple[str, ...]) -> Starlette:
    """Make the application: `/` and `/events`, which only read.

    With a token nobody gets anything without it; `hosts` are the names that a request may use
    for us, any if empty.
    """
    watching = asyncio.Semaphore(_WATCHERS)

    async def index(request: Request) -> Response:
        if token and "token" in request.query_params:
            response: Response = RedirectResponse("/", status_code=303)
            response.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
            return response
        model = await board.document()
        if model is None:
            return PlainTextResponse(f"{board.trouble or 'Nothing is read yet.'}\n", 503)
        text = await asyncio.to_thread(page, model)
        return HTMLResponse(text, headers={"Content-Security-Policy": policy(live=True)})

    async def events(_: Request) -> Response:
        if watching.locked():
            return PlainTextResponse("too many pages are open\n", status_code=503)
        stream = _stream(board, watching)
        return StreamingResponse(stream, media_type="text/event-stream")

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            response = _refusal(request, token, hosts) or await handler(request)
            response.headers.update(_HEADERS)
            return response

        return answer

    routes = [Route("/", guarded(index)), Route(_EVENTS, guarded(events))]
    return Starlette(routes=routes)


def _refusal(request: Request, token: str, hosts: tuple[str, ...]) -> Response | None:
    name = request.headers.get("host", "").rpartition(":")
    host = name[0] if name[1] and name[2].isdigit() else request.headers.get("host", "")
    if hosts and host not in hosts:
        return PlainTextResponse("this name does not lead here\n", status_code=421)
    if request.url.path == _EVENTS and request.headers.get("sec-fetch-site") in _OTHERS:
        # It could not read them, but take all the places: a browser says whose page asks.
        return PlainTextResponse("these are for our own page\n", status_code=403)
    if not token:
        return None
    given = (
        request.query_params.get("token")
        or request.cookies.get(_COOKIE)
        or request.headers.get("authorization", "").removeprefix("Bearer ")
    )
    if compare_digest(given.encode(), token.encode()):
        return None
    return PlainTextResponse(
        "the token is missing or wrong: open the address that was printed\n", 401
    )


async def _stream(board: LiveBoard, watching: asyncio.Semaphore) -> AsyncIterator[bytes]:
    async with watching:
        changes = board.changes()
        waiting: asyncio.Task[str | None] | None = None
        try:
            yield b"retry: 2000\n\n"
            while True:
                waiting = waiting or asyncio.ensure_future(anext(changes, None))
                done, _ = await asyncio.wait({waiting}, timeout=_HEARTBEAT_S)
                if not done:
                    yield b": here\n\n"
                    continue
                text, waiting = waiting.result(), None
                if text is None:
                    return
                yield b"event: parts\ndata: " + text.encode() + b"\n\n"
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            await changes.aclose()
