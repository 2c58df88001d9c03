"""`/metrics` and the probes over HTTP: plain threads beside the actors, off unless configured.

A request reads what is there and tells nobody anything, so it is answered while every actor
hangs. One that is silent is dropped after a while, or at once where there is no more room, and so
is one that comes a letter at a time: its place is one of a few, and the probes need them.
"""

import hmac
import io
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple, Self

from actors.log import open_log
from ops.loopback import is_loopback
from ops.prometheus_text import CONTENT_TYPE

PATIENCE_S = 5.0
MOST_AT_ONCE = 32
PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
_PROBES = {"/livez": "live", "/readyz": "ready", "/startupz": "startup"}

Probe = Callable[[str], str]
"""Takes ``live``, ``ready`` or ``startup``; says why not, or nothing."""


class Page(NamedTuple):
    """One more thing that may be asked for. An open one holds no fact: it needs no token."""

    kind: str
    text: Callable[[], str]
    policy: str = "default-src 'none'"
    """Its content security policy."""
    is_open: bool = False


NO_PAGES: Mapping[str, Page] = {}


class HttpServer:
    """Answers from `start` to `close`. With a token, `/metrics` and reasons are for its bearer."""

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Callable[[], str],
        probe: Probe,
        token: str = "",
        pages: Mapping[str, Page] = NO_PAGES,
    ) -> None:
        self._host, self._port = host, port
        self._handler = type(
            "Handler",
            (_Handler,),
            {
                "metrics": staticmethod(metrics),
                "probe": staticmethod(probe),
                "token": token,
                "pages": pages,
            },
        )
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """Where it listens; of interest when 0 was asked for."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def start(self) -> Self:
        """Listen from now on.

        Raises:
            OSError: it cannot listen there.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        kind = type("Server", (_Server,), {"address_family": family})
        self._server = kind((self._host, self._port), self._handler)
        serve = self._server.serve_forever
        threading.Thread(target=serve, name="http", args=(0.2,), daemon=True).start()
        return self

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class _Places:
    """Who is connected. The one that has said nothing for longest makes room for the next.

    Else silent clients, of which there may be any number, would keep every probe away.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent: dict[socket.socket, None] = {}
        self._asking: set[socket.socket] = set()
        self._threads = 0
        """Those of who was sent away too: they end by themselves, a little later."""

    def take(self, connection: socket.socket) -> bool:
        """Let somebody in; False where nobody can make room."""
        with self._lock:
            is_full = len(self._silent) + len(self._asking) >= MOST_AT_ONCE
            oldest = next(iter(self._silent), None) if is_full else None
            if (is_full and oldest is None) or self._threads >= 2 * MOST_AT_ONCE:
                return False
            if oldest is not None:
                del self._silent[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._silent[connection] = None
            self._threads += 1
            return True

    def heard(self, connection: socket.socket) -> None:
        """Keep who has asked until the answer is out."""
        with self._lock:
            if connection in self._silent:
                del self._silent[connection]
                self._asking.add(connection)

    def told(self, connection: socket.socket) -> None:
        """Who has its answer is silent again, until it asks once more."""
        with self._lock:
            if connection in self._asking:
                self._asking.discard(connection)
                self._silent[connection] = None

    def leave(self, connection: socket.socket) -> None:
        """Make room."""
        with self._lock:
            self._silent.pop(connection, None)
            self._asking.discard(connection)
            self._threads -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self.places = _Places()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own, unless too many are under way."""
        if not self.places.take(request):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started, which is to make room
            self.places.leave(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's
        """Say what went wrong here; who went away in the middle is no news."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            _log(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "watchkeeper"
    sys_version = ""
    wbufsize = 1 << 18  # an answer goes out at once: each write has to come back to the interpreter
    server: _Server
    metrics: ClassVar[Callable[[], str]]
    probe: ClassVar[Probe]
    token: ClassVar[str]
    pages: ClassVar[Mapping[str, Page]]

    def setup(self) -> None:
        """Prepare to read, each request in its time."""
        super().setup()
        self.rfile.close()
        self._asked = _InTime(self.connection)
        self.rfile = io.BufferedReader(self._asked)

    def handle_one_request(self) -> None:
        """Take one request, or let the connection go when it has not come in time."""
        self._asked.begin()
        self.server.places.told(self.connection)
        super().handle_one_request()

    def do_GET(self) -> None:
        """Answer one question."""
        self.server.places.heard(self.connection)
        try:
            status, kind, text = self._answer(self._asked_for())
        except Exception as error:  # noqa: BLE001 - whatever it is, the next one is answered
            _log(error)
            status, kind, text = 500, PLAIN, "this could not be told: the log says why\n"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if kind == HTML:
            self.send_header("Content-Security-Policy", self.pages[self._asked_for()].policy)
            self.send_header("X-Frame-Options", "DENY")
            self.send_header("Referrer-Policy", "no-referrer")
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        """Answer with what comes before the text."""
        self.do_GET()

    def _asked_for(self) -> str:
        return self.path.partition("?")[0]

    def _answer(self, path: str) -> tuple[int, str, str]:
        is_bearer = self._is_bearer()
        if not self.token and not is_loopback(_host_of(self.headers)):
            return 403, PLAIN, "ask by a loopback name: there is no token\n"
        if path in _PROBES:
            reason = type(self).probe(_PROBES[path])
            told = f"no: {reason}\n" if is_bearer else "no\n"
            return (503, PLAIN, told) if reason else (200, PLAIN, "ok\n")
        page = self.pages.get(path)
        if not is_bearer and not (page and page.is_open):
            return 401, PLAIN, "a bearer token is needed\n"
        if path == "/metrics":
            return 200, CONTENT_TYPE, type(self).metrics()
        if page is not None:
            return 200, page.kind, page.text()
        there = ", ".join(["/metrics", *_PROBES, *self.pages])
        return 404, PLAIN, f"there are {there}\n"

    def _is_bearer(self) -> bool:
        if not self.token:
            return True
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return scheme.lower() == "bearer" and same

    def log_message(self, *arguments: Any) -> None:
        """Scrapes are no news."""


class _InTime(io.RawIOBase):
    """What a connection sends, up to `PATIENCE_S` after `begin`, however it is cut into pieces."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until = 0.0

    def begin(self) -> None:
        """Let the time run anew."""
        self._until = time.monotonic() + PATIENCE_S

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for more.

        Raises:
            TimeoutError: the time is over.
        """
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(PATIENCE_S)  # for an answer, all of it


def _log(error: BaseException) -> None:
    log = open_log().bind(actor="http").opt(exception=error)
    log.error("a request was not answered: {}: {}", type(error).__name__, error)


def _host_of(headers: Message) -> str:
    """Give whom the client believes to ask; a page that was tricked believes something else."""
    host = headers.get("Host", "localhost")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
