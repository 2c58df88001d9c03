"""A proxy on loopback, as a company has one: it opens every TLS connection that it passes on.

A client asks it to CONNECT to the real host. The proxy is the tunnel's other end itself, with a
certificate of its own authority, and hands what comes out on to the local exchange. A host
that it has no exchange for is refused; nothing is ever looked up or contacted but loopback.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme

from exchanges.venue_loop import VenueLoop

HOST = "127.0.0.1"
LIMIT_S = 60.0
BINANCE = (
    "api.binance.com",
    "stream.binance.com",
    "ws-api.binance.com",
    "fapi.binance.com",
    "dapi.binance.com",
)
"""The hosts of ccxt's own addresses that spot trading and loading the markets need."""


class TlsProxy:
    """Leads `hosts` to a local exchange. Methods may be called from any thread."""

    def __init__(self, exchange_url: str, hosts: tuple[str, ...] = BINANCE) -> None:
        self._exchange_port = 0
        self.lead_to(exchange_url)
        self._hosts = frozenset(hosts)
        self._loop = VenueLoop("tls-proxy")
        self._authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tunnels: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self.asked: list[str] = []
        """Every ``host:port`` that a CONNECT named."""
        self.answer = 200
        """What the next CONNECTs are answered; anything but 200 opens nothing."""
        self.hangs = False
        """Whether CONNECTs are left without an answer."""
        self.login = ""
        """``user:password``; while it is set, whoever does not give it gets 407."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def url_with(self, login: str) -> str:
        return f"http://{login}@{HOST}:{self._port}"

    def lead_to(self, exchange_url: str) -> None:
        """Let what is opened from now on lead to this exchange."""
        parts = urlsplit(exchange_url)
        assert parts.hostname == HOST, f"{exchange_url} is not on this machine"
        assert parts.port is not None
        self._exchange_port = parts.port

    def write_authority(self, path: Path) -> Path:
        """Write the certificate that a client must trust."""
        self._authority.cert_pem.write_to_path(str(path))
        return path

    def start(self) -> None:
        self._loop.start()
        self._loop.submit(self._start()).result(LIMIT_S)

    def cut(self) -> None:
        """Let go of every open tunnel, as a proxy does that is restarted."""
        self._loop.submit(self._cut()).result(LIMIT_S)

    def stop_listening(self) -> None:
        """Be gone: open tunnels are cut, new connections are refused."""
        self._loop.submit(self._stop()).result(LIMIT_S)

    def close(self) -> None:
        self.stop_listening()
        assert self._loop.close(LIMIT_S)

    # ------------------------------------------------------------ on the loop

    async def _start(self) -> None:
        self._authority.issue_cert(*self._hosts).configure_cert(self._context)
        self._server = await asyncio.start_server(self._asked, HOST, 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut()

    async def _cut(self) -> None:
        """End what is open, a handshake under way too, and wait until nothing of it is left."""
        for tunnel in self._tunnels:
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one CONNECT; then be its TLS end, and hand on what comes out."""
        tunnel = asyncio.current_task()
        assert tunnel is not None
        self._tunnels.add(tunnel)
        tunnel.add_done_callback(self._tunnels.discard)
        async with _closing(writer):
            if await self._answered(reader, writer):
                await writer.start_tls(self._context)
                await self._carry(reader, writer)

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        assert method == "CONNECT", f"not through the tunnel: {head}"
        self.asked.append(target)
        if self.hangs:
            await reader.read()
        status = self._verdict(target, head)
        writer.write(f"HTTP/1.1 {status} X\r\n\r\n".encode())
        await writer.drain()
        return status == 200

    def _verdict(self, target: str, head: str) -> int:
        given = base64.b64encode(self.login.encode()).decode()
        if self.login and f"proxy-authorization: basic {given}".lower() not in head.lower():
            return 407
        return self.answer if target.partition(":")[0] in self._hosts else 403

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection(HOST, self._exchange_port)
        async with _closing(other_writer):
            ways = [
                asyncio.ensure_future(_pump(reader, other_writer)),
                asyncio.ensure_future(_pump(other_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Leave one end of a connection closed: in peace, or at once if it is cut."""
    bare = writer.transport
    try:
        with suppress(OSError, asyncio.IncompleteReadError):
            yield
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    except asyncio.CancelledError:
        bare.abort()  # under what TLS has made of it, if it has come so far
        for _ in range(3):  # the protocols on it hear of its end, one in each turn of the loop
            await asyncio.sleep(0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@contextmanager
def tls_proxy(exchange_url: str) -> Iterator[TlsProxy]:
    """Run a proxy in front of a local exchange until the block ends."""
    proxy = TlsProxy(exchange_url)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()
