"""A NATS server of a test's own, as a process that can be killed and started again."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT_S = 30.0


def binary() -> str | None:
    """Give the server's path: beside this Python, as pip puts it there, or on PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class NatsServer:
    """JetStream on loopback; what it keeps outlives its process."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.port = free_port()
        self._folder, self._arguments = folder, arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'tls' if '--tls' in self._arguments else 'nats'}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "NatsServer":
        path = binary()
        assert path is not None, "a test asks first"
        place = ["-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self._folder)]
        self._process = subprocess.Popen(
            [path, *place, *self._arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        pause = threading.Event()
        for _ in range(int(LIMIT_S / 0.01)):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1.0) as peer:
                    if peer.recv(4) == b"INFO":
                        return self
            except OSError:
                pause.wait(0.01)
        raise AssertionError("the NATS server does not come up")

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would, but for what the kernel holds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_S)
            self._process = None


@contextmanager
def nats_server(folder: Path, *arguments: str) -> Iterator[NatsServer]:
    server = NatsServer(folder, *arguments)
    try:
        yield server.start()
    finally:
        server.kill()
