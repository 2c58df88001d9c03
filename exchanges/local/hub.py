"""Who listens to which stream, and how events reach them: in order, or as a fault wants it.

Everything here runs in the server's loop but `post` and `subscribed`.
"""

import asyncio
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from exchanges.local import stream_binance as wire
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults_streams import ON_CONNECTIONS, USER, StreamFault, StreamPlan
from exchanges.local.harm import reset
from messages.ids import NS_PER_MS

POLICY_VIOLATION = WSCloseCode.POLICY_VIOLATION


class Connection:
    """One socket and what it has subscribed to."""

    def __init__(self, number: int, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.number = number
        self.ws = ws
        self.request = request
        self.streams: set[str] = set()
        self.wraps = False
        """Whether market events are told together with their stream's name."""
        self.is_api = False
        self.is_stalled = False
        self.answers_pings = True
        self.ts_pong = asyncio.get_running_loop().time()
        self.outbox: asyncio.Queue[str | None] = asyncio.Queue()
        """None ends the connection with a closing frame, after what is before it."""

    def put(self, text: str) -> None:
        """Send something in its turn, unless the connection is stalled."""
        if not self.is_stalled:
            self.outbox.put_nowait(text)

    async def send(self) -> None:
        """Send what is put, until the end."""
        while (text := await self.outbox.get()) is not None:
            try:
                await self.ws.send_str(text)
            except (ConnectionError, RuntimeError):
                return
        await self.ws.close()

    async def ping(self, every_s: float, within_s: float) -> None:
        """Ping as the exchange does, and drop who does not answer."""
        loop = asyncio.get_running_loop()
        while not self.ws.closed:
            await asyncio.sleep(every_s)
            if loop.time() - self.ts_pong > within_s:
                self.drop()
                return
            if not self.is_stalled:
                await self.ws.ping()

    async def answer_ping(self, message: WSMessage) -> None:
        """Take a ping or a pong; a stalled connection answers nothing."""
        if message.type is WSMsgType.PONG:
            self.ts_pong = asyncio.get_running_loop().time()
        elif self.answers_pings:
            await self.ws.pong(message.data)

    def drop(self) -> None:
        """Break the connection without a closing frame."""
        reset(self.request.transport)


class Hub:
    """All connections of one server."""

    def __init__(self, exchange: LocalExchange) -> None:
        self.exchange = exchange
        self._loop = asyncio.get_running_loop()
        self._connections: dict[int, Connection] = {}
        self._last = 0
        self._held: dict[tuple[str, str], list[dict[str, Any]]] = {}
        exchange.strikers.append(self._strike_from_anywhere)

    def open(self, ws: web.WebSocketResponse, request: web.Request) -> Connection:
        """Take a connection in."""
        self._last += 1
        connection = Connection(self._last, ws, request)
        self._connections[self._last] = connection
        return connection

    def close(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.pop(connection.number, None)
        self.note(connection)

    def note(self, connection: Connection) -> None:
        """Tell the truth about who has subscribed to what."""
        with self.exchange.lock:
            if connection.number in self._connections:
                self.exchange.open_streams[connection.number] = sorted(connection.streams)
            else:
                self.exchange.open_streams.pop(connection.number, None)

    def close_all(self) -> None:
        """End every connection: the server stops."""
        for connection in self._connections.values():
            connection.outbox.put_nowait(None)

    def subscribed(self) -> set[str]:
        """Give every stream that somebody listens to; from any thread."""
        with self.exchange.lock:
            return {stream for streams in self.exchange.open_streams.values() for stream in streams}

    def post(self, stream: str, event: dict[str, Any]) -> None:
        """Tell everybody who listens; from any thread, in the order of the calls."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, stream, event)

    def _tell(self, stream: str, event: dict[str, Any]) -> None:
        key = (stream, str(event.get("e", "bookTicker")))
        with self.exchange.lock:
            plan = self.exchange.stream_faults.on_event(*key, _order_of(event))
        fault = plan.fault if plan else None
        if fault is StreamFault.OUT_OF_ORDER:
            self._held.setdefault(key, []).append(event)
            return
        if plan and fault is StreamFault.LATE_EVENT:
            self._loop.call_later(plan.delay_ms / 1000, self._send, stream, event)
            return
        if fault not in (StreamFault.DROPPED_EVENT, StreamFault.DEPTH_GAP):
            self._send(stream, event)
        if fault is StreamFault.DUPLICATE_EVENT:
            self._send(stream, event)
        for held in self._held.pop(key, []):
            self._send(stream, held)
        if plan and fault in ON_CONNECTIONS:
            self.strike(plan)

    def _send(self, stream: str, event: dict[str, Any]) -> None:
        bare = msgspec.json.encode(event).decode()
        for connection in self._connections.values():
            if stream not in connection.streams:
                continue
            if stream == USER:
                connection.put(f'{{"subscriptionId":0,"event":{bare}}}')
            elif connection.wraps:
                connection.put(f'{{"stream":"{stream}","data":{bare}}}')
            else:
                connection.put(bare)

    def _strike_from_anywhere(self, plan: StreamPlan) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.strike, plan)

    def strike(self, plan: StreamPlan) -> None:
        """Let a fault strike every connection with a stream that it matches."""
        for connection in tuple(self._connections.values()):
            names = connection.streams or {""}
            if any(fnmatchcase(name, plan.stream) for name in names):
                self._strike_one(connection, plan.fault)

    def _strike_one(self, connection: Connection, fault: StreamFault) -> None:
        now_ms = self.exchange.clock.now_ns() // NS_PER_MS
        match fault:
            case StreamFault.DROP:
                connection.drop()
            case StreamFault.CLOSE:
                connection.outbox.put_nowait(None)
            case StreamFault.SERVER_SHUTDOWN:
                event = wire.server_shutdown(
                    now_ms, is_api=connection.is_api, is_combined=connection.wraps
                )
                connection.put(msgspec.json.encode(event).decode())
                connection.outbox.put_nowait(None)
            case StreamFault.STALL | StreamFault.STALL_WITH_PONGS:
                connection.is_stalled = True
                connection.answers_pings = fault is StreamFault.STALL_WITH_PONGS
            case StreamFault.STREAM_TERMINATED if USER in connection.streams:
                self.end_user_stream(connection)
            case _:
                return

    def end_user_stream(self, connection: Connection) -> None:
        """Tell a connection that the user's events end, and end them; nothing where it has none."""
        if USER not in connection.streams:
            return
        event = wire.stream_terminated(self.exchange.clock.now_ns() // NS_PER_MS)
        connection.put(_of_user(event))
        connection.streams.discard(USER)
        self.note(connection)


def _of_user(event: dict[str, Any]) -> str:
    return msgspec.json.encode({"subscriptionId": 0, "event": event}).decode()


def _order_of(event: dict[str, Any]) -> str:
    """Give the client order id that an event is about (of a cancel, the order's own); else ""."""
    if event.get("e") != "executionReport":
        return ""
    return str(event["C"] or event["c"])
