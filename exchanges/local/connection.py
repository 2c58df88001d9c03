"""One socket of a client: what it has subscribed to, and what is sent to it, in its turn."""

import asyncio
from typing import Any

import msgspec
from aiohttp import WSMessage, WSMsgType, web

from exchanges.local.harm import reset

Json = dict[str, Any]


class Connection:
    """One socket and what it has subscribed to."""

    def __init__(self, number: int, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.number = number
        self.ws = ws
        self.request = request
        self.streams: set[str] = set()
        self.asked: list[dict[str, str]] = []
        """Of OKX: the subscriptions, as they were asked for."""
        self.is_logged_in = False
        """Of OKX."""
        self.wraps = False
        """Whether market events are told together with their stream's name."""
        self.is_api = False
        self.is_stalled = False
        self.answers_pings = True
        self.ts_pong = asyncio.get_running_loop().time()
        self.outbox: asyncio.Queue[str | None] = asyncio.Queue()
        """None ends the connection with a closing frame, after what is before it."""

    def tell(self, frame: Json) -> None:
        """Send an object in its turn, unless the connection is stalled."""
        self.put(msgspec.json.encode(frame).decode())

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

    def answer_text_ping(self) -> None:
        """Answer a ping that is a text, as OKX's are; a stalled connection answers nothing."""
        if self.answers_pings:
            self.outbox.put_nowait("pong")

    def drop(self) -> None:
        """Break the connection without a closing frame."""
        reset(self.request.transport)
