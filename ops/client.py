"""Asks a running process over its control socket. Standard library only, nothing of ours."""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LONGEST_ADDRESS = 100
"""Bytes. The kernel takes 107 on Linux and 103 on macOS."""
_LARGEST_REPLY = 64 * 1024 * 1024
_CHUNK = 65_536
_RETRY_S = 0.01
_C_INT = 4
"""Bytes; `struct ucred` has three: the process, its user, its group."""
_OPEN_FILES = Path("/proc/self/fd")


class NoAnswer(ConnectionError):
    """The process did not answer; the text says what is known. `gone`: nobody listens there."""

    def __init__(self, sentence: str, *, gone: bool) -> None:
        super().__init__(sentence)
        self.gone = gone


def unanswered(run_dir: Path, problem: NoAnswer, unknown: str, then: str) -> str:
    """Say of a process that is there, and silent, what is not known now, and what to do."""
    if isinstance(problem.__cause__, PermissionError):
        return f"the process of {run_dir} was not asked, so {unknown} ({problem})"
    return f"the process of {run_dir} does not answer ({problem}): {unknown}; {then}"


def ask(path: Path, command: str, *, timeout_s: float = 2.0, **fields: Any) -> dict[str, Any]:
    """Send one request and give its reply. The time limit is for all of it together.

    Raises:
        NoAnswer: after `gone` it surely did nothing; otherwise it may still do it.
    """
    return _asked(path, {**fields, "command": command}, timeout_s)[0]


def who(path: Path, timeout_s: float) -> tuple[object, int | None]:
    """Give the number that the process tells of itself, and the one that it has here.

    They differ where it is in another process namespace, as in a container. The kernel gives 0 for
    one that cannot be seen from here; None is of a kernel that does not say.

    Raises:
        NoAnswer: as for `ask`.
    """
    reply, here = _asked(path, {"command": "ping"}, timeout_s)
    return reply.get("pid"), here


def _asked(
    path: Path, request: dict[str, Any], timeout_s: float
) -> tuple[dict[str, Any], int | None]:
    """Give the reply, and who listens there."""
    deadline = time.monotonic() + timeout_s
    asked = json.dumps(request).encode() + b"\n"
    try:
        with _connected(path, deadline) as connection:
            connection.sendall(asked)
            line = _line(connection, deadline)
            listener = _listener(connection)
        reply = json.loads(line)
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {timeout_s:g} s", gone=False) from error
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise NoAnswer("no process listens here", gone=True) from error
    except PermissionError as error:
        text = "permission denied: ask as the user that the process is of"
        raise NoAnswer(text, gone=False) from error
    except (OSError, ValueError) as error:
        raise NoAnswer(f"no usable answer: {error}", gone=False) from error
    if not isinstance(reply, dict):
        raise NoAnswer("no usable answer: not an object", gone=False)
    return reply, listener


def _listener(connection: socket.socket) -> int | None:
    """Give the number here of the process that listens at the other end, as the kernel knows it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * _C_INT)
    return int.from_bytes(told[:_C_INT], sys.byteorder, signed=True)


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Give a name short enough for a Unix socket, good while the context lasts."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder_fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        folder = _OPEN_FILES / str(folder_fd)
        if folder.exists():
            yield str(folder / path.name)
            return
    finally:
        os.close(folder_fd)
    with _linked(path) as address:
        yield address


@contextlib.contextmanager
def _linked(path: Path) -> Iterator[str]:
    """Where no /proc is: it takes a /tmp that can be written."""
    import tempfile  # costs a probe ten milliseconds and is rarely needed

    with tempfile.TemporaryDirectory(prefix="wk-", dir="/tmp") as place:
        link = Path(place) / "d"  # TMPDIR may itself be long
        link.symlink_to(path.parent.absolute())
        yield str(link / path.name)


@contextlib.contextmanager
def _connected(path: Path, deadline: float) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        with short_address(path) as address:
            while not _connects(connection, address):
                if time.monotonic() > deadline:
                    raise TimeoutError
                time.sleep(_RETRY_S)
        yield connection


def _connects(connection: socket.socket, address: str) -> bool:
    """A Unix socket whose queue is full says so at once, whatever the time limit."""
    try:
        connection.connect(address)
    except BlockingIOError:
        return False
    return True


def _line(connection: socket.socket, deadline: float) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(_CHUNK)
        if not chunk or len(received) > _LARGEST_REPLY:
            raise ValueError("the reply broke off")
        received += chunk
    return bytes(received)
