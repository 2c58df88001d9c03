"""The network between a client and a server, to be cut where a test wants it cut."""

import socket
import threading
from contextlib import suppress


class Wire:
    """Listens on loopback and passes bytes to a port, both ways, until it is told otherwise."""

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.swallows = False
        """Requests are passed, answers are not: the client never hears of what was done."""
        self.cuts_at_answer = False
        """The first answer is swallowed, and with it the connection ends."""
        self._open = threading.Event()
        self._open.set()
        self.held = threading.Event()
        """A request waits here."""
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Keep requests under way until `release`, whatever the client does meanwhile."""
        self.held.clear()
        self._open.clear()

    def release(self) -> None:
        """Deliver what was kept."""
        self._open.set()

    def cut(self) -> None:
        """End all connections."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                _end(one)

    def close(self) -> None:
        self._open.set()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                _notice_silence(client)
                server = socket.create_connection(("127.0.0.1", self._to))
                self._pairs.append((client, server))
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while words := client.recv(65_536):
                if not self._open.is_set():
                    self.held.set()
                    self._open.wait(60)
                server.sendall(words)
        with suppress(OSError):  # a client that is gone is told of too, behind all that it sent
            self._open.wait(60)
            server.shutdown(socket.SHUT_WR)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while words := server.recv(65_536):
                if self.cuts_at_answer:
                    break
                if not self.swallows:
                    client.sendall(words)
        _end(client)


def _notice_silence(client: socket.socket) -> None:
    """Have the kernel ask whether a client is still there: one that was cut off says nothing."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, 10),
        (socket.TCP_KEEPINTVL, 5),
        (socket.TCP_KEEPCNT, 3),
    ):
        client.setsockopt(socket.IPPROTO_TCP, option, value)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
