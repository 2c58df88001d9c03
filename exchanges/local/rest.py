"""HTTP: routes to operations, faults on the way in and out. Used by every venue profile."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from exchanges.local.calls import Api, Call, Reply, begin, serve
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault
from exchanges.local.harm import REPLACED, SILENT, harmed, reset

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MakeCall = Callable[[web.Request, str, str], Call]


class Rest:
    """Turns an `Api` into aiohttp handlers."""

    def __init__(self, exchange: LocalExchange, api: Api, make_call: MakeCall) -> None:
        self._exchange = exchange
        self._api = api
        self._make_call = make_call
        self._to_reset: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()
        self.ended = asyncio.Event()
        """Set when the server stops: whoever hangs is let go."""

    def handler(self, operation: str) -> Handler:
        """Make the handler of one operation."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.transport in self._to_reset:
                reset(request.transport)
                return web.Response()
            call = self._make_call(request, operation, await request.text())
            return await self._answer(request, call)

        return handle

    async def _answer(self, request: web.Request, call: Call) -> web.StreamResponse:
        entry, plan = begin(self._exchange, self._api, call)
        reply = await serve(self._exchange, self._api, call, entry, plan)
        fault = plan.fault if plan else None
        if plan and fault in REPLACED and entry.engine == "done":
            reply = self._api.failure(plan)
        text = _text(reply)
        if fault not in SILENT:
            entry.http_status = reply.status
            entry.ts_replied_ns = self._exchange.clock.machine_ns()
        if fault is not None:
            response = await harmed(request, text, fault, self.ended)
            if response is not None:
                return response
        if fault is Fault.RESET_IDLE_KEEP_ALIVE and request.transport is not None:
            self._to_reset.add(request.transport)
        kind = reply.headers.get("Content-Type", "application/json")
        headers = {key: value for key, value in reply.headers.items() if key != "Content-Type"}
        return web.Response(text=text, status=reply.status, headers=headers, content_type=kind)


def _text(reply: Reply) -> str:
    return reply.body if isinstance(reply.body, str) else msgspec.json.encode(reply.body).decode()


def parameters(text: str) -> dict[str, str]:
    """Read a query or a form; of a name given twice the last counts."""
    return dict(parse_qsl(text, keep_blank_values=True))
