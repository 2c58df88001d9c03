"""OKX's private socket: login, the account's orders, and pings that are a text.

There is no other channel, and no other socket: who asks for a market's streams is refused.
"""

from aiohttp import WSMessage, WSMsgType, web

from exchanges.local.connection import Connection, Json
from exchanges.local.faults_streams import USER
from exchanges.local.frames_okx import ORDERS, said
from exchanges.local.hub import Hub
from exchanges.local.login_okx import problem_of
from exchanges.local.sockets import decoded, may_subscribe, opened, served

_KINDS = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "ANY")
Asked = dict[str, str]


def add_private_socket(app: web.Application, hub: Hub) -> None:
    """Serve OKX's private socket from this application."""
    app.router.add_get("/ws/v5/private", PrivateSocket(hub).serve)


class PrivateSocket:
    """Handler of the account's own socket; of one connection it takes frame after frame."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._exchange = hub.exchange

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        connection = await opened(self._hub, request)
        with served(self._hub, connection):
            async for message in connection.ws:
                await self._on_message(connection, message)
        return connection.ws

    async def _on_message(self, connection: Connection, message: WSMessage) -> None:
        if message.type in (WSMsgType.PING, WSMsgType.PONG):
            await connection.answer_ping(message)
        elif message.type is WSMsgType.TEXT and message.data == "ping":
            connection.answer_text_ping()
        elif message.type is WSMsgType.TEXT:
            await self._on_frame(connection, message.data)

    async def _on_frame(self, connection: Connection, text: str) -> None:
        frame = decoded(text) or {}
        match frame.get("op"), _arguments(frame):
            case "login", [login]:
                self._log_in(connection, login)
            case "subscribe", [_, *_] as wanted:
                for one in wanted:
                    await self._subscribe(connection, one)
            case "unsubscribe", [_, *_] as unwanted:
                for one in unwanted:
                    self._unsubscribe(connection, one)
            case _:
                _refuse(connection, "60012", f"Illegal request: {text}")

    def _log_in(self, connection: Connection, login: Asked) -> None:
        problem = problem_of(self._exchange, login)
        if problem is not None:
            _refuse(connection, *problem)
            connection.outbox.put_nowait(None)
            return
        connection.is_logged_in = True
        connection.tell(said(connection, "login", code="0", msg=""))

    async def _subscribe(self, connection: Connection, asked: Asked) -> None:
        problem = await self._problem_of(connection, asked)
        if problem is not None:
            _refuse(connection, *problem)
            return
        if asked not in connection.asked:
            connection.asked.append(asked)
        connection.streams.add(USER)
        self._hub.note(connection)
        connection.tell(said(connection, "subscribe", arg=asked))

    async def _problem_of(self, connection: Connection, asked: Asked) -> tuple[str, str] | None:
        if not connection.is_logged_in:
            return "60011", "Please log in"
        if asked.get("channel") != ORDERS or asked.get("instType") not in _KINDS:
            named = ",".join(f"{name}:{value}" for name, value in asked.items())
            return "60018", f"Wrong URL or {named} doesn't exist."
        if not await may_subscribe(self._exchange, [USER]):
            return "50026", "System error. Try again later."
        return None

    def _unsubscribe(self, connection: Connection, asked: Asked) -> None:
        connection.asked = [one for one in connection.asked if one != asked]
        if not connection.asked:
            connection.streams.discard(USER)
            self._hub.note(connection)
        connection.tell(said(connection, "unsubscribe", arg=asked))


def _arguments(frame: Json) -> list[Asked]:
    """Give the arguments as texts; none where they are no objects."""
    args = frame.get("args")
    if not isinstance(args, list) or not all(isinstance(one, dict) for one in args):
        return []
    return [{name: str(value) for name, value in one.items()} for one in args]


def _refuse(connection: Connection, code: str, message: str) -> None:
    connection.tell(said(connection, "error", code=code, msg=message))
