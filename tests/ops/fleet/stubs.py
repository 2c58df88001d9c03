"""A process that stands in for a bot: it holds its run directory, and says what a test writes."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from messages.ids import NS_PER_S
from ops.run_files import LOCK, METRICS_SUMMARY, STATUS

_HOLD = """
import fcntl, os, signal, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX)
os.pwrite(lock, b"%d\\n\\n" % os.getpid(), 0)
ends = signal.SIGUSR1 if sys.argv[2] == "deaf" else signal.SIGTERM
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
print("held", flush=True)
signal.sigwait([ends])
"""
STARTED = 1_800_000_000 * NS_PER_S


class Stub:
    """What is written of it is of this very process; each word is newer than the one before."""

    def __init__(self, run_dir: Path, *, is_deaf: bool = False) -> None:
        self.run_dir = run_dir
        run_dir.mkdir(parents=True, exist_ok=True)
        mode = "deaf" if is_deaf else "hears"
        command = [sys.executable, "-I", "-S", "-c", _HOLD, str(run_dir / LOCK), mode]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"held\n"
        self.pid = self.process.pid

    def says(self, **status: Any) -> None:
        """Write `status.json` with these over what a bot that is well says."""
        well = {"pid": self.pid, "started_at_ns": STARTED, "captured_at_ns": time.time_ns()}
        self._write(STATUS, {**well, "ready": True, "halt": {}, "ended": None, **status})

    def counted(self, **summary: Any) -> None:
        """Write `metrics_summary.json`."""
        well = {"started_at_ns": STARTED, "processed": 100, "errors": 0}
        self._write(METRICS_SUMMARY, well | summary)

    def ends(self, exit_code: int | None) -> None:
        """End with a last word, or without one."""
        if exit_code is not None:
            self.says(ended={"exit_code": exit_code, "reason": "so the test wants", "at_ns": 1})
        self.process.kill()
        self.gone()

    def gone(self) -> int:
        """Wait until it has ended, and say how."""
        code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.run_dir / name).write_text(json.dumps(content))


@contextmanager
def stub(run_dir: Path, *, is_deaf: bool = False) -> Iterator[Stub]:
    """It ends with the test."""
    one = Stub(run_dir, is_deaf=is_deaf)
    try:
        yield one
    finally:
        one.process.kill()
        one.gone()
