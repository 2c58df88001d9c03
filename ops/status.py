"""Keeps the last known health on disk, for the day the process cannot be asked any more."""

import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from ops.run_dir import atomic_write
from ops.spare import Spare

CLOSE_S = 5.0
ROOM_FOR_THE_END = 1 << 14
"""Bytes by which the last one may be longer than the one before it."""
Snapshot = dict[str, Any]


class StatusWriter:
    """Writes a snapshot every interval from a plain thread, and a last one with the cause.

    Neither a failing snapshot nor a full disk stops it: `problem` holds the last failure,
    empty when the newest write went well. `fence` is that of the run directory. Room for the
    last one is kept while there is some.
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
        self._path, self._spare = path, Spare(path)
        self._now_ns = now_ns
        self._snapshot = snapshot
        self._interval_s = interval_s
        self._last: Snapshot = {}
        self._ended: dict[str, Any] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> Self:
        """Write the first one before returning, then go on."""
        self.write()
        self._thread.start()
        return self

    def close(self, reason: str, exit_code: int) -> None:
        """Write the last one: this process ended by itself, which tells it from a kill.

        A disk, or a snapshot, that hangs is waited for a few seconds; what is not written then
        is said on stderr, for the log may hang as well.
        """
        self._ended = {"at_ns": self._now_ns(), "reason": reason, "exit_code": exit_code}
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self.problem = f"it took nothing within {CLOSE_S:.0f} s of the end"
        elif self._last.get("ended") is not self._ended:
            self.write(self._ended)
        if self.problem:
            told = f"{self._path} is not whole: {self.problem}"
            sys.stderr.write(f"watchkeeper: {told}; this process ended: {reason} ({exit_code})\n")

    def write(self, ended: dict[str, Any] | None = None) -> None:
        """Write now. A snapshot that fails leaves the one before it, with what is new."""
        problem, content = "", b""
        try:
            new = {"ended": None, **self._snapshot()}
            content, self._last = _content(new), new
        except Exception as error:  # noqa: BLE001 - it reads the state of whatever is failing
            problem = f"{type(error).__name__}: {error}"
        if ended is not None:
            self._last["ended"], content = ended, b""
        content = content or _content(self._last)
        try:
            self._put(content, is_last=ended is not None)
        except OSError as error:
            problem = error.strerror or str(error)
        self.problem = problem  # at the end: meanwhile the last one holds

    def _put(self, content: bytes, *, is_last: bool) -> None:
        try:
            atomic_write(self._path, content, self._fence)
        except OSError as error:
            if not is_last:
                raise
            try:
                self._spare.become(content, self._fence)
            except OSError:
                raise error from None
        if is_last:
            self._spare.drop()
        else:
            with suppress(OSError):  # an alert tells of a disk without room
                self._spare.fit(len(content) + ROOM_FOR_THE_END)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self.write()
        self.write(self._ended)


def _content(snapshot: Snapshot) -> bytes:
    return json.dumps(snapshot, default=str, sort_keys=True).encode() + b"\n"
