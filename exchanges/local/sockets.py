"""What the sockets of every venue profile do alike: open, subscribe late or not, read JSON."""

import asyncio
from collections.abc import Iterable

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
