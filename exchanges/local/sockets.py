"""What the sockets of every venue profile do alike: open, send, read JSON, subscribe late."""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from aiohttp import web

from exchanges.local.connection import Connection, Json
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults_streams import StreamFault
from exchanges.local.hub import Hub

_CLOSE_S = 0.3


async def opened(hub: Hub, request: web.Request) -> Connection:
    """Shake hands, and take the connection in."""
    ws = web.WebSocketResponse(autoping=False, timeout=_CLOSE_S)
    try:
        await ws.prepare(request)
    except ConnectionResetError as error:  # killed while it knocked: nobody waits for this
        raise asyncio.CancelledError from error
    return hub.open(ws, request)


@contextmanager
def served(hub: Hub, connection: Connection, *beside: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Send what is put while its frames are taken; `beside` runs as long."""
    hub.note(connection)
    tasks = [asyncio.create_task(one) for one in (connection.send(), *beside)]
    try:
        yield
    finally:
        hub.close(connection)
        for task in tasks:
            task.cancel()


async def may_subscribe(exchange: LocalExchange, names: Iterable[str]) -> bool:
    """Say so, in time or late."""
    with exchange.lock:
        plan = exchange.stream_faults.on_subscribe(names)
    if plan and plan.fault is StreamFault.SLOW_SUBSCRIBE:
        await asyncio.sleep(plan.delay_ms / 1000)
    return plan is None or plan.fault is not StreamFault.SUBSCRIBE_REFUSED


def decoded(text: str) -> Json | None:
    """Read a JSON object; None if it is none."""
    try:
        frame = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return frame if isinstance(frame, dict) else None
