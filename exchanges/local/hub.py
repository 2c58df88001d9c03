"""Who listens to which stream, and how events reach them: in order, or as a fault wants it.

Everything here runs in the server's loop but `post` and `subscribed`.
"""

import asyncio
from fnmatch import fnmatchcase
from typing import Any

from aiohttp import web

from exchanges.local.connection import Connection
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults_streams import ON_CONNECTIONS, USER, StreamFault, StreamPlan
from exchanges.local.frames import Frames
from messages.ids import NS_PER_MS


class Hub:
    """All connections of one server, told in the frames of its venue."""

    def __init__(self, exchange: LocalExchange, frames: Frames) -> None:
        self.exchange = exchange
        self._frames = frames
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
        key = (stream, self._frames.kind(event))
        name = self._frames.client_order_id(event)
        with self.exchange.lock:
            plan = self.exchange.stream_faults.on_event(*key, name)
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
        for connection in self._connections.values():
            if stream not in connection.streams:
                continue
            frame = self._frames.framed(connection, stream, event)
            if frame is not None:
                connection.tell(frame)

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
        match fault:
            case StreamFault.DROP:
                connection.drop()
            case StreamFault.CLOSE:
                connection.outbox.put_nowait(None)
            case StreamFault.SERVER_SHUTDOWN:
                connection.tell(self._frames.shutdown(connection, self._now_ms()))
                connection.outbox.put_nowait(None)
            case StreamFault.STALL | StreamFault.STALL_WITH_PONGS:
                connection.is_stalled = True
                connection.answers_pings = fault is StreamFault.STALL_WITH_PONGS
            case StreamFault.STREAM_TERMINATED:
                self.end_user_stream(connection)
            case _:
                return

    def end_user_stream(self, connection: Connection) -> None:
        """Tell a connection that the user's events end, and end them; nothing where it has none."""
        said = self._frames.terminated(self._now_ms())
        if said is None or USER not in connection.streams:
            return
        connection.tell(said)
        connection.streams.discard(USER)
        self.note(connection)

    def _now_ms(self) -> int:
        return self.exchange.clock.now_ns() // NS_PER_MS
