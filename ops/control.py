"""The process's side of the control socket: one plain thread that no actor can block.

One connection carries one request line and one reply line. The thread reads and writes
without blocking, so a slow or silent client costs the others nothing, and gives every
connection a deadline. Handlers run on it and must return at once.
"""

import contextlib
import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import msgspec

from ops.client import short_address
from ops.stacks import thread_stacks

Handler = Callable[[dict[str, Any]], dict[str, Any]]

_LARGEST_REQUEST = 65_536
_MOST_CONNECTIONS = 64
_BACKLOG = 128
_PATIENCE_S = 5.0
_CHUNK = 65_536


class ControlServer:
    """Answers on `path`, replacing what a dead process left there.

    Whoever starts it holds the run directory, so a socket file in it is nobody's.
    `ping` and `stacks` are there by themselves; `handlers` come on top.
    """

    def __init__(
        self, path: Path, handlers: Mapping[str, Handler], *, patience_s: float = _PATIENCE_S
    ) -> None:
        self._path = path
        self._handlers = {"ping": _ping, "stacks": _stacks, **handlers}
        self._patience_s = patience_s
        self._connections: dict[socket.socket, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._closing = False
        self._inode = 0
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> Self:
        """Listen from now on.

        Raises:
            OSError: the socket cannot be made; nothing runs.
        """
        self._listen()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering and remove the socket file, unless it is another's by now."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"x")
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        # Made under another name and moved into place: at its own name it is never open to
        # others, never deaf, and never absent.
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            new.unlink(missing_ok=True)
            with short_address(new) as address:
                self._listener.bind(address)
            new.chmod(0o600)
            self._listener.listen(_BACKLOG)
            self._listener.settimeout(0)
            self._inode = new.stat().st_ino
            new.replace(self._path)
        except BaseException:
            self._release()
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(self._until_overdue()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._connections:
                    self._advance(self._connections[key.fileobj])
            self._drop_overdue()
        self._release()

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            # The client left, or no file descriptor is free: not to be tried in a hot loop.
            time.sleep(0.01)
            return
        if len(self._connections) >= _MOST_CONNECTIONS:
            self._drop(next(iter(self._connections.values())))
        peer.settimeout(0)
        self._connections[peer] = _Connection(peer, time.monotonic() + self._patience_s)
        self._selector.register(peer, selectors.EVENT_READ)

    def _advance(self, connection: "_Connection") -> None:
        try:
            if not connection.reply:
                line = connection.request_line()
                if line is None:
                    return
                connection.reply = memoryview(self._answer(line))
                self._selector.modify(connection.peer, selectors.EVENT_WRITE)
            if connection.send_some():
                self._drop(connection)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)

    def _answer(self, line: bytes) -> bytes:
        try:
            # Strict: a text that UTF-8 has no bytes for could not be written down.
            request = msgspec.json.decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return _encoded({"error": "the request is not one line of JSON"})
        try:
            command = request.get("command") if isinstance(request, dict) else None
            handler = self._handlers.get(command) if isinstance(command, str) else None
            if handler is None:
                known = ", ".join(sorted(self._handlers))
                return _encoded({"error": f"unknown command; known: {known}"})
            return _encoded(handler(request))
        except Exception as error:  # noqa: BLE001 - a handler's bug must not silence health
            return _encoded({"error": f"{type(error).__name__}: {error}"})

    def _until_overdue(self) -> float | None:
        """The oldest connection has the earliest deadline; `close` wakes who waits for ever."""
        oldest = next(iter(self._connections.values()), None)
        return None if oldest is None else max(oldest.deadline - time.monotonic(), 0.0)

    def _drop_overdue(self) -> None:
        now = time.monotonic()
        for connection in [c for c in self._connections.values() if c.deadline <= now]:
            self._drop(connection)

    def _drop(self, connection: "_Connection") -> None:
        self._connections.pop(connection.peer, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.peer)
        connection.peer.close()

    def _release(self) -> None:
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._selector.close()
        for each in (self._listener, self._wake_reader, self._wake_writer):
            each.close()


class _Connection:
    """One client: what it has sent so far, and what is left to send to it."""

    def __init__(self, peer: socket.socket, deadline: float) -> None:
        self.peer = peer
        self.deadline = deadline
        self.reply = memoryview(b"")
        self._request = bytearray()

    def request_line(self) -> bytes | None:
        """Give the request once it is whole.

        Raises:
            OSError: the client is gone or sends too much.
        """
        chunk = self.peer.recv(_CHUNK)
        self._request += chunk
        line, newline, _ = self._request.partition(b"\n")
        if newline:
            return bytes(line)
        if not chunk or len(self._request) > _LARGEST_REQUEST:
            raise ConnectionAbortedError
        return None

    def send_some(self) -> bool:
        """Whether all of the reply is sent now."""
        self.reply = self.reply[self.peer.send(self.reply) :]
        return not self.reply


def _encoded(reply: dict[str, Any]) -> bytes:
    return json.dumps(reply, default=_text).encode() + b"\n"


def _text(value: object) -> str:
    """Give an amount without an exponent, and anything else as it says itself."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _ping(_: dict[str, Any]) -> dict[str, Any]:
    return {"pid": os.getpid()}


def _stacks(_: dict[str, Any]) -> dict[str, Any]:
    return {"stacks": thread_stacks()}
