"""What a run publishes of its metrics beside its files: over HTTP, and as a text file."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from actors.log import logger
from messages.errors import ConfigError
from ops.config import Config
from ops.exposition import Exposition
from ops.health import probe_problem
from ops.http_server import HttpServer, Probe
from ops.loopback import split_address
from ops.run_dir import RunDir, atomic_write
from ops.snapshot import Snapshots
from ops.wiring import System

CLOSE_S = 5.0
_READABLE = 0o644


class Publishing:
    """Nothing where nothing is configured. To be closed before the run directory is given back."""

    def __init__(
        self, config: Config, run_dir: RunDir, system: System, snapshots: Snapshots
    ) -> None:
        self._config, self._run_dir, self._snapshots = config, run_dir, snapshots
        self._take = partial(snapshots.take, latencies=False)
        self._exposition = Exposition(
            system, run_dir.ledger, config.name, str(config.mode), self._take
        )
        self._stack = ExitStack()

    def start(self) -> Self:
        """Publish from now on.

        Raises:
            ConfigError: it cannot be published there, or the token is not in the environment.
        """
        settings = self._config.metrics
        if settings.prometheus_file is not None:
            path, fence = self._run_dir.path / settings.prometheus_file, self._run_dir.fence
            file = TextFile(path, self._exposition.text, settings.interval_s, fence)
            self._snapshots.extras["prometheus"] = lambda: {"problem": file.problem}
            self._stack.callback(file.start().close)
        if settings.http is not None:
            server = http_server(self._config, self._exposition.text, self._probe)
            self._stack.callback(server.close)
        return self

    def close(self) -> None:
        """Publish no more; the text file stays as it is."""
        self._stack.close()

    def _probe(self, question: str) -> str:
        return probe_problem(question, self._take())


def http_server(config: Config, text: Callable[[], str], probe: Probe) -> HttpServer:
    """Answer where `metrics.http` says, from now on.

    Raises:
        ConfigError: it cannot listen there, or the token is not in the environment.
    """
    place = config.metrics.http or ""
    address = split_address(place)
    assert address is not None, "checked with the configuration"
    name = config.metrics.http_token_env
    token = os.environ.get(name, "") if name else ""
    if name and not token:
        raise ConfigError([f"metrics.http_token_env: {name} is not set in the environment"])
    try:
        return HttpServer(*address, text, probe, token).start()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError([f"metrics.http: cannot listen on {place}: {reason}"]) from error


class TextFile:
    """Replaces a file for the node exporter each interval; a disk that refuses is logged once."""

    def __init__(
        self,
        path: Path,
        text: Callable[[], str],
        interval_s: float,
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self.problem = ""
        self._fence = fence
        self._path, self._text, self._interval_s = path, text, interval_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prometheus", daemon=True)

    def start(self) -> Self:
        """Write the first one before returning, then go on."""
        self.write()
        self._thread.start()
        return self

    def close(self) -> None:
        """Write the last one; a disk, or a text, that hangs is waited for a few seconds."""
        self._stopping.set()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self.problem = f"it took nothing within {CLOSE_S:.0f} s of the end"
            told = f"watchkeeper: {self._path}: the last figures are not written: {self.problem}"
            sys.stderr.write(f"{told}\n")  # the log may hang as well

    def write(self) -> None:
        """Replace the file now."""
        try:
            atomic_write(self._path, self._text().encode(), self._fence, mode=_READABLE)
        except Exception as error:  # noqa: BLE001 - it reads the state of whatever is failing
            if not self.problem:
                logger.warning("{} is not written: {}: {}", self._path, type(error).__name__, error)
            self.problem = f"{type(error).__name__}: {error}"
        else:
            self.problem = ""

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self.write()
        self.write()
