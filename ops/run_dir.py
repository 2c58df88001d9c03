"""One run's directory: held by one living process, its small files replaced as a whole."""

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from messages.errors import ConfigError, RunDirBusy
from ops import run_files
from ops.run_files import find_latest

__all__ = ["RunDir", "atomic_write", "find_latest"]


class RunDir:
    """Names the files at once; `open`, or a `with`, makes the directory and holds it.

    The lock is the kernel's (flock): it ends with its process, however that ends.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.ledger = self.path / run_files.LEDGER
        self.paper_book = self.path / run_files.PAPER_BOOK
        self.journal = self.path / run_files.JOURNAL
        self.metrics = self.path / run_files.METRICS
        self.metrics_summary = self.path / run_files.METRICS_SUMMARY
        self.status = self.path / run_files.STATUS
        self.control_socket = self.path / run_files.CONTROL_SOCKET
        self.log = self.path / run_files.LOG
        self.effective_config = self.path / run_files.EFFECTIVE_CONFIG
        self.dashboard = self.path / run_files.DASHBOARD
        self.lock = self.path / run_files.LOCK
        self.taken_over_from: int | None = None
        """The process that held the directory last and died without giving it back."""
        self._lock_fd: int | None = None

    def open(self) -> Self:
        """Make the directory if need be, readable by its owner alone, and hold it.

        Raises:
            RunDirBusy: a living process holds it; nothing was touched.
            ConfigError: it cannot be made or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            lock_fd = os.open(self.lock, flags, 0o600)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError([f"run_dir: {self.path} cannot be used: {reason}"]) from error
        self._hold(lock_fd)
        return self

    def close(self) -> None:
        """Give the directory back; the next holder sees that this one left in order."""
        if self._lock_fd is not None:
            os.ftruncate(self._lock_fd, 0)
            os.close(self._lock_fd)
            self._lock_fd = None

    def atomic_write(self, name: str, content: bytes) -> None:
        """Replace one of its files."""
        atomic_write(self.path / name, content)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _hold(self, lock_fd: int) -> None:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = _pid_in(lock_fd)
            os.close(lock_fd)
            holder = f"process {pid}" if pid else "another process"
            hint = f"watchkeeper stop --run-dir {self.path}"
            sentence = (
                f"{self.path} is in use by {holder}; stop it ({hint}) or use another --run-dir"
            )
            raise RunDirBusy(sentence) from error
        self.taken_over_from = _pid_in(lock_fd)
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, b"%d\n" % os.getpid(), 0)
        self._lock_fd = lock_fd


def atomic_write(path: Path, content: bytes) -> None:
    """Replace a file so that any reader, and any crash, finds the old one or the new one.

    Raises:
        OSError: the old one stands.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _pid_in(lock_fd: int) -> int | None:
    text = os.pread(lock_fd, 32, 0).strip()
    return int(text) if text.isdigit() else None
