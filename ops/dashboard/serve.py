"""`dashboard --serve`: the page, live, from a process of its own that only reads the run's files.

It gives way to the bot: a lower priority, and after each look it rests at least twenty times as
long as the look took. Nothing is commanded here.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from messages.errors import ConfigError
from messages.exit_codes import EXIT_INTERRUPTED, EXIT_OK
from messages.extras import how_to_install
from ops.dashboard.board import LiveBoard
from ops.dashboard.run import RunModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.dashboard.command import DashboardOptions

TOKEN_VARIABLE = "WATCHKEEPER_DASHBOARD_TOKEN"  # noqa: S105 - the name of a variable
_SHORTEST_TOKEN = 16
_NICER = 5


def serve(options: "DashboardOptions") -> int:
    """Serve until SIGINT or SIGTERM, and give the exit code.

    Raises:
        ConfigError: the extra is not installed, the address is taken, or the token too short.
        DataError: a run directory is not there.
    """
    try:
        import uvicorn

        from ops.dashboard.app import make_app
    except ImportError as error:
        raise ConfigError(
            [f"dashboard --serve needs starlette and uvicorn: {how_to_install('dashboard')}"]
        ) from error
    token = _token(options.host)
    listener = _listener(options.host, options.port)
    with contextlib.suppress(OSError):
        os.nice(_NICER)
    with contextlib.ExitStack() as stack:
        stack.callback(listener.close)
        models = []
        for run_dir in options.runs:
            models.append(RunModel(run_dir, most_orders=options.most_orders))
            stack.callback(models[-1].close)
        board = LiveBoard(models)
        app = make_app(board, token=token, hosts=_names(options.host))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        url = _url(options.host, listener.getsockname()[1], token)
        return asyncio.run(_served(uvicorn.Server(config), listener, board, url))


async def _served(server: Any, listener: socket.socket, board: LiveBoard, url: str) -> int:
    """Give the exit code of what ended it."""
    server.capture_signals = _no_signals
    loop, ended_with = asyncio.get_running_loop(), [EXIT_OK]

    def end(code: int) -> None:
        server.should_exit, ended_with[0] = True, code
        board.close()

    loop.add_signal_handler(signal.SIGINT, end, EXIT_INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, end, EXIT_OK)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    looking = asyncio.create_task(board.look())
    try:
        await server.serve(sockets=[listener])
    finally:
        board.close()
        await looking
    return ended_with[0]


@contextlib.contextmanager
def _no_signals() -> "Iterator[None]":
    """Ours are handled already; uvicorn would raise them once more after the end."""
    yield


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(host: str) -> str:
    """Give what a browser must know; empty on loopback, unless the environment names one."""
    given = os.environ.get(TOKEN_VARIABLE, "")
    if given and (len(given) < _SHORTEST_TOKEN or not given.isascii() or not given.isprintable()):
        raise ConfigError([f"{TOKEN_VARIABLE}: expected at least {_SHORTEST_TOKEN} ASCII letters"])
    if given or is_loopback(host):
        return given
    return secrets.token_urlsafe(24)


def _names(host: str) -> tuple[str, ...]:
    """Give the names a browser may call us by on loopback; any elsewhere, for a token is asked.

    A page of another site could otherwise have its own name lead here and read what we say.
    """
    return ("localhost", "127.0.0.1", "[::1]", host) if is_loopback(host) else ()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        why = (error.strerror or str(error)).lower()
        raise ConfigError([f"dashboard --serve: {host} port {port}: {why}"]) from error
    return listener


def _url(host: str, port: int, token: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    query = f"?token={token}" if token else ""
    return f"http://{shown}:{port}/{query}"
