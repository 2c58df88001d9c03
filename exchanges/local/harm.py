"""How a reply is harmed on its way back over HTTP."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from exchanges.local.faults import Fault

if TYPE_CHECKING:
    from asyncio import Transport

LONGEST_HANG_S = 600.0
HANGS = frozenset({Fault.HANG_BEFORE, Fault.HANG_AFTER})
RESETS = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER})
CLOSES = frozenset({Fault.CLOSE_BEFORE, Fault.CLOSE_AFTER})
SILENT = HANGS | RESETS | CLOSES
BODIES = {Fault.EMPTY_BODY: "", Fault.EMPTY_OBJECT: "{}", Fault.HTML_BODY: "<html>OK</html>"}
REPLACED = frozenset(
    {
        Fault.SERVER_ERROR_AFTER,
        Fault.GATEWAY_TIMEOUT_AFTER,
        Fault.TIMEOUT_CODE_AFTER,
        Fault.UNEXPECTED_RESPONSE_AFTER,
        Fault.DISCONNECTED_AFTER,
        Fault.UNKNOWN_CODE_AFTER,
    }
)
"""The engine did what was asked, and the answer says that something failed."""


def reset(transport: "Transport | asyncio.BaseTransport | None") -> None:
    """End a connection with RST, losing what was not read."""
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.Transport):
        transport.abort()


async def harmed(
    request: web.Request, text: str, fault: Fault, ended: asyncio.Event
) -> web.StreamResponse | None:
    """Deliver a reply as a fault wants it; None where it changes nothing."""
    if fault in HANGS:
        await _hang(ended)
        _close(request)
        return web.Response()
    if fault in RESETS:
        reset(request.transport)
        return web.Response()
    if fault in CLOSES:
        _close(request)
        return web.Response()
    if fault in BODIES:
        kind = "text/html" if fault is Fault.HTML_BODY else "application/json"
        return web.Response(text=BODIES[fault], content_type=kind)
    if fault is Fault.HALF_JSON:
        return web.Response(text=text[: len(text) // 2], content_type="application/json")
    if fault in (Fault.TRUNCATED_LENGTH, Fault.TRUNCATED_CHUNKED):
        return await _truncated(request, text, is_chunked=fault is Fault.TRUNCATED_CHUNKED)
    return None


async def _hang(ended: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_HANG_S):
            await ended.wait()


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


async def _truncated(request: web.Request, text: str, *, is_chunked: bool) -> web.StreamResponse:
    raw = text.encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    if is_chunked:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(raw)
    await response.prepare(request)
    await response.write(raw[: len(raw) // 2])
    _close(request)
    return response
