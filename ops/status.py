"""Keeps the last known health on disk, for the day the process cannot be asked any more."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ops.run_dir import atomic_write

Snapshot = dict[str, Any]


class StatusWriter:
    """Writes a snapshot every interval from a plain thread, and a last one with the cause.

    Neither a failing snapshot nor a full disk stops it: `problem` holds the last failure,
    empty when the newest write went well. `fence` is that of the run directory.
    """

    def __init__(
        self,
        path: Path,
        snapshot: Callable[[], Snapshot],
        *,
        interval_s: float = 1.0,
        now_ns: Callable[[], int] = time.time_ns,
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self.problem = ""
        self._fence = fence
        self._path = path
        self._now_ns = now_ns
        self._snapshot = snapshot
        self._interval_s = interval_s
        self._last: Snapshot = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> Self:
        """Write the first one before returning, then go on."""
        self.write()
        self._thread.start()
        return self

    def close(self, reason: str, exit_code: int) -> None:
        """Write the last one: this process ended by itself, which tells it from a kill."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self.write({"at_ns": self._now_ns(), "reason": reason, "exit_code": exit_code})

    def write(self, ended: dict[str, Any] | None = None) -> None:
        """Write now. A snapshot that fails leaves the one before it, with what is new."""
        problem = ""
        try:
            self._last = {"ended": None, **self._snapshot()}
        except Exception as error:  # noqa: BLE001  it reads the state of whatever is failing
            problem = f"{type(error).__name__}: {error}"
        if ended is not None:
            self._last["ended"] = ended
        content = json.dumps(self._last, default=str, sort_keys=True)
        try:
            atomic_write(self._path, content.encode() + b"\n", self._fence)
        except OSError as error:
            problem = error.strerror or str(error)
        self.problem = problem  # at the end: meanwhile the last one holds

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self.write()
