"""Binance's sockets: market streams, and the WebSocket API with the user's own stream."""

import asyncio
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from exchanges.local.binance import BinanceApi
from exchanges.local.calls import Call, Reply, begin, serve
from exchanges.local.connection import Connection, Json
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault
from exchanges.local.faults_streams import USER
from exchanges.local.harm import BODIES, CLOSES, HANGS, REPLACED, RESETS
from exchanges.local.hub import Hub
from exchanges.local.sockets import decoded, may_subscribe, opened, served

METHODS = {
    "ping": "ping",
    "time": "time",
    "exchangeInfo": "exchange_info",
    "depth": "depth",
    "klines": "klines",
    "trades.recent": "trades",
    "trades.aggregate": "agg_trades",
    "ticker.24hr": "ticker",
    "ticker.book": "book_ticker",
    "ticker.price": "price",
    "order.place": "place",
    "order.test": "test_order",
    "order.cancel": "cancel",
    "order.status": "query",
    "order.cancelReplace": "cancel_replace",
    "openOrders.status": "open_orders",
    "openOrders.cancelAll": "cancel_all",
    "allOrders": "all_orders",
    "myTrades": "my_trades",
    "account.status": "account",
    "userDataStream.subscribe.signature": "subscribe",
}
_MOST_MESSAGES_PER_S = 5


def add_sockets(app: web.Application, hub: Hub, api: BinanceApi) -> None:
    """Serve Binance's sockets from this application."""
    sockets = Sockets(hub, api)
    for path in ("/stream", "/ws", "/ws/{names:.*}", "/stream/ws/{names:.*}", "/stream/ws"):
        app.router.add_get(path, sockets.market)
    app.router.add_get("/ws-api/v3", sockets.api)


class Sockets:
    """Handlers of the two kinds of sockets."""

    def __init__(self, hub: Hub, api: BinanceApi) -> None:
        self._hub = hub
        self._api = api
        self._exchange: LocalExchange = hub.exchange
        self._tasks: set[asyncio.Task[None]] = set()

    async def market(self, request: web.Request) -> web.WebSocketResponse:
        """Serve market streams: those in the path, and those subscribed to."""
        named = request.match_info.get("names", "").split("/")
        asked = request.query.get("streams", "").split("/")
        connection = await opened(self._hub, request)
        connection.wraps = request.path == "/stream"
        connection.streams |= {name for name in (*named, *asked) if "@" in name}
        return await self._run(connection, self._on_market_frame, _MOST_MESSAGES_PER_S)

    async def api(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the WebSocket API."""
        connection = await opened(self._hub, request)
        connection.is_api = True
        return await self._run(connection, self._on_api_frame, None)

    async def _run(
        self, connection: Connection, on_frame: Any, most_per_s: int | None
    ) -> web.WebSocketResponse:
        settings = self._exchange.settings
        pinging = connection.ping(settings.ping_every_s, settings.pong_within_s)
        with served(self._hub, connection, pinging):
            await self._receive(connection, on_frame, most_per_s)
        return connection.ws

    async def _receive(self, connection: Connection, on_frame: Any, most_per_s: int | None) -> None:
        loop, second, count = asyncio.get_running_loop(), 0.0, 0
        async for message in connection.ws:
            if loop.time() - second >= 1:
                second, count = loop.time(), 0
            count += 1
            if most_per_s is not None and count > most_per_s:
                await connection.ws.close(
                    code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests"
                )
                return
            if message.type is not WSMsgType.TEXT:
                if message.type in (WSMsgType.PING, WSMsgType.PONG):
                    await connection.answer_ping(message)
                continue
            frame = decoded(message.data)
            if frame is None:
                connection.put('{"error":{"code":3,"msg":"Invalid JSON"}}')
                continue
            task = asyncio.create_task(on_frame(connection, frame))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _on_market_frame(self, connection: Connection, frame: Json) -> None:
        method, names = frame.get("method"), frame.get("params", [])
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS"):
            connection.put('{"error":{"code":2,"msg":"Invalid request: unknown method"}}')
            return
        result: Any = None
        if method == "SUBSCRIBE":
            if not await may_subscribe(self._exchange, names):
                connection.tell({"error": {"code": 2, "msg": "Invalid request"}} | _id(frame))
                return
            connection.streams |= set(names)
        elif method == "UNSUBSCRIBE":
            connection.streams -= set(names)
        else:
            result = sorted(connection.streams)
        self._hub.note(connection)
        connection.tell({"result": result} | _id(frame))

    async def _on_api_frame(self, connection: Connection, frame: Json) -> None:
        method = str(frame.get("method"))
        if method == "userDataStream.unsubscribe":
            connection.tell({**_id(frame), "status": 200, "result": {}})
            self._hub.end_user_stream(connection)
            return
        if method not in METHODS:
            said = {"code": -1020, "msg": "This operation is not supported."}
            connection.tell({**_id(frame), "status": 400, "error": said})
            return
        raw = frame.get("params") or {}
        params = {name: _plain(value) for name, value in raw.items()}
        call = Call(
            operation=METHODS[method],
            params=params,
            payload="&".join(f"{k}={v}" for k, v in sorted(params.items()) if k != "signature"),
            headers=connection.request.headers,
            transport="ws",
            method=method,
            path=connection.request.path,
        )
        await self._answer(connection, frame, call)

    async def _answer(self, connection: Connection, frame: Json, call: Call) -> None:
        entry, plan = begin(self._exchange, self._api, call)
        reply = await serve(self._exchange, self._api, call, entry, plan)
        fault = plan.fault if plan else None
        if plan and fault in REPLACED and entry.engine == "done":
            reply = self._api.failure(plan)
        if call.operation == "subscribe" and entry.engine == "done":
            reply = await self._subscribe(connection)
        if fault in HANGS:
            return
        if fault in RESETS | CLOSES or fault in (Fault.TRUNCATED_LENGTH, Fault.TRUNCATED_CHUNKED):
            connection.drop()
            return
        entry.http_status = reply.status
        entry.ts_replied_ns = self._exchange.clock.machine_ns()
        text = msgspec.json.encode(_framed(frame, reply)).decode()
        if fault is Fault.HALF_JSON:
            text = text[: len(text) // 2]
        connection.put(BODIES.get(fault, text) if fault else text)

    async def _subscribe(self, connection: Connection) -> Reply:
        if not await may_subscribe(self._exchange, [USER]):
            return Reply(status=400, body={"code": -1000, "msg": "Subscription failed."})
        connection.streams.add(USER)
        self._hub.note(connection)
        return Reply(body={"subscriptionId": 0})


def _framed(frame: Json, reply: Reply) -> Json:
    answer: Json = {**_id(frame), "status": reply.status}
    if reply.status == 200:
        answer["result"] = reply.body
    elif isinstance(reply.body, str):
        answer["error"] = {"code": -1000, "msg": f"HTTP {reply.status}"}
    else:
        answer["error"] = reply.body
    if (frame.get("params") or {}).get("returnRateLimits") is not False:
        answer["rateLimits"] = []
    return answer


def _id(frame: Json) -> Json:
    return {"id": frame.get("id")}


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
