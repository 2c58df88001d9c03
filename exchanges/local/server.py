"""The process around a local exchange: sockets on loopback, and the clock that drives it."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from aiohttp import web

from exchanges.local import okx
from exchanges.local.binance import BinanceApi
from exchanges.local.control import control_app
from exchanges.local.exchange import LocalExchange
from exchanges.local.frames_binance import BinanceFrames
from exchanges.local.frames_okx import OkxFrames
from exchanges.local.hub import Hub
from exchanges.local.orders_channel import OrdersChannel
from exchanges.local.rest import Rest
from exchanges.local.rest_binance import add_routes
from exchanges.local.settings import Profile, Settings
from exchanges.local.streams import Streams
from exchanges.local.ws_binance import add_sockets
from exchanges.local.ws_okx import add_private_socket

HOST = "127.0.0.1"
_TICK_S = 0.1
_START_S, _STOP_S = 10.0, 10.0


class Urls(msgspec.Struct, frozen=True):
    """Where it listens."""

    http: str
    ws: str
    control: str


class Server:
    """Serves one exchange on two ports of the loopback interface; lives in one event loop."""

    def __init__(self, exchange: LocalExchange, port: int = 0, control_port: int = 0) -> None:
        self.exchange = exchange
        self._ports = (port, control_port)
        self._runners: list[web.AppRunner] = []
        self._rests: list[Rest] = []
        self._hub: Hub | None = None
        self._streams: Streams | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> Urls:
        """Listen.

        Raises:
            OSError: a port is taken.
        """
        port = await self._listen(self._venue_app(), self._ports[0])
        control_port = await self._listen(control_app(self.exchange), self._ports[1])
        self._ticking = asyncio.create_task(self._tick())
        return Urls(f"http://{HOST}:{port}", f"ws://{HOST}:{port}", f"http://{HOST}:{control_port}")

    async def stop(self) -> None:
        """Let everybody go and close the sockets."""
        if self._ticking is not None:
            self._ticking.cancel()
        if self._hub is not None:
            self._hub.close_all()
        for rest in self._rests:
            rest.ended.set()
        open_ones = [handler.transport for one in self._runners for handler in _served(one)]
        for runner in self._runners:
            await runner.cleanup()
        for transport in open_ones:  # one that waits for a client which reads nothing stays open
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)

    def _venue_app(self) -> web.Application:
        app = web.Application()
        if self.exchange.settings.profile is Profile.OKX:
            self._rests.append(okx.add_routes(app, self.exchange))
            self._hub = Hub(self.exchange, OkxFrames())
            OrdersChannel(self.exchange, self._hub)
            add_private_socket(app, self._hub)
            return app
        api = BinanceApi(self.exchange)
        self._hub = Hub(self.exchange, BinanceFrames())
        self._streams = Streams(self.exchange, self._hub)
        add_sockets(app, self._hub, api)
        self._rests.append(add_routes(app, self.exchange, api))
        return app

    async def _listen(self, app: web.Application, port: int) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        return int(runner.addresses[0][1])

    async def _tick(self) -> None:
        """Bring the market up to the present, so that streams move without requests."""
        while True:
            if self._streams is not None:
                # What cannot be written now is written with the next operation, or refuses it.
                with suppress(sqlite3.Error):
                    self._streams.flush()
            else:
                with suppress(sqlite3.Error), self.exchange.operation():
                    pass
            await asyncio.sleep(_TICK_S)


def _served(runner: web.AppRunner) -> list[web.RequestHandler]:
    return [] if runner.server is None else runner.server.connections


class RunningExchange:
    """A local exchange that is being served; `exchange` can be used from any thread."""

    def __init__(self, exchange: LocalExchange, urls: Urls) -> None:
        self.exchange = exchange
        self.urls = urls

    def ccxt_config(self, **changes: Any) -> dict[str, Any]:
        """Give the arguments for ccxt's class; `changes` are laid over them."""
        from exchanges.local.ccxt_config import ccxt_config

        return ccxt_config(self.exchange.settings, self.urls) | changes


async def serve_until(
    settings: Settings,
    port: int,
    control_port: int,
    on_start: Callable[[RunningExchange], None],
    over: asyncio.Event,
) -> None:
    """Serve in this event loop until `over` is set.

    Raises:
        OSError: a port is taken.
        DataError: the state file or the recording cannot be used.
    """
    exchange = LocalExchange(settings)
    server = Server(exchange, port, control_port)
    try:
        on_start(RunningExchange(exchange, await server.start()))
        await over.wait()
    finally:
        await server.stop()
        exchange.close()


@contextmanager
def running_exchange(
    settings: Settings | None = None, *, port: int = 0, control_port: int = 0, **changes: Any
) -> Iterator[RunningExchange]:
    """Serve a local exchange from a thread of its own until the block ends.

    `changes` are fields of `Settings`. In tests a market that stands (`speed=0`) makes the
    same requests give the same fills.

    Raises:
        OSError: a port is taken.
    """
    exchange = LocalExchange(msgspec.structs.replace(settings or Settings(), **changes))
    server = Server(exchange, port, control_port)
    thread = _LoopThread(server.start, server.stop)
    try:
        yield RunningExchange(exchange, thread.started())
    finally:
        thread.end()
        exchange.close()


class _LoopThread:
    """An event loop in a thread: started, and ended in order."""

    def __init__(self, start: Callable[[], Any], stop: Callable[[], Any]) -> None:
        self._start, self._stop = start, stop
        self._is_up = threading.Event()
        self._urls: Urls | None = None
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="local-exchange", daemon=True)
        self._thread.start()

    def started(self) -> Urls:
        if not self._is_up.wait(_START_S):
            raise OSError("the local exchange did not start in time")
        if self._error is not None:
            raise self._error
        assert self._urls is not None
        return self._urls

    def end(self) -> None:
        if self._loop is not None and self._over is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            self._error = error
        finally:
            self._is_up.set()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._urls = await self._start()
        self._is_up.set()
        await self._over.wait()
        await self._stop()
