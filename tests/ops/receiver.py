"""An HTTP receiver on loopback that keeps what alerts send to it, and fails when told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMIT_S = 30.0
TOKEN = "s3cret-path-token"


class Receiver:
    """`url` is an address of apprise. `status` answers all from then on.

    It sends on to a page of its own what it answers with a redirect.
    """

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.status = 200
        self.got: list[dict[str, Any]] = []
        self.asked = 0
        self.news = threading.Condition()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self._server.server_address[1]}/{TOKEN}?rto=5&cto=5"

    def take(self, body: bytes) -> int:
        with self.news:
            self.asked += 1
            if self.status == 200:
                self.got.append(json.loads(body))
            self.news.notify_all()
            return self.status

    def until(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many messages; give all."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.got) >= count, LIMIT_S), self.got
            return list(self.got)

    def until_asked(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.asked >= count, LIMIT_S), self.asked

    def titles(self) -> list[str]:
        with self.news:
            return [message["title"] for message in self.got]


@contextmanager
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(running.take(body))

        def do_GET(self) -> None:
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Location", "/page")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Receiver(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
