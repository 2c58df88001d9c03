"""One run's directory: held by one living process, its small files replaced as a whole."""

import fcntl
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from messages.errors import ConfigError, RunDirBusy
from ops import run_files
from ops.run_files import find_latest, typed

__all__ = ["RunDir", "atomic_write", "find_latest", "sync_folder"]

_TAKE_LIMIT_S = 5.0


def _no_fence() -> None:
    """Let everything be written."""


OnTaken = Callable[[str], object]


class RunDir:
    """Names the files at once; `open`, or a `with`, makes the directory and holds it.

    The lock is the kernel's (flock): it ends with its process, however that ends. A process that
    was stopped keeps it. So where an account's lease says who may trade, its holder leaves its
    `claim` in the lock, and who has taken the lease from it, and knows that claim, takes the
    directory too, with a lock file of its own in the place of the other. That is how the other
    one knows: `on_taken` is then called with a sentence, and should end the process.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        claim: str = "",
        former_claim: str = "",
        on_taken: OnTaken | None = None,
    ) -> None:
        self.path = Path(path)
        self._on_taken = on_taken
        self._claim, self._former_claim = claim, former_claim
        self.ledger = self.path / run_files.LEDGER
        self.paper_book = self.path / run_files.PAPER_BOOK
        self.journal = self.path / run_files.JOURNAL
        self.metrics = self.path / run_files.METRICS
        self.metrics_summary = self.path / run_files.METRICS_SUMMARY
        self.status = self.path / run_files.STATUS
        self.log = self.path / run_files.LOG
        self.effective_config = self.path / run_files.EFFECTIVE_CONFIG
        self.dashboard = self.path / run_files.DASHBOARD
        self.lock = self.path / run_files.LOCK
        self.taken_over_from: int | None = None
        """The process that held the directory last and did not give it back."""
        self.was_alive = False
        """Whether that one still held it: it was stopped, and may go on."""
        self.held_since_ns = 0
        """When that one took it; UTC."""
        self._lock_fd: int | None = None

    def open(self) -> Self:
        """Make the directory if need be, readable by its owner alone, and hold it.

        Raises:
            RunDirBusy: a living process holds it; nothing was touched.
            ConfigError: it cannot be made or written.
        """
        if not _is_text(self.path):
            raise ConfigError([f"run_dir: {str(self.path)!a} is not UTF-8 text: name another one"])
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                self._hold(_opened(self.lock))
                self._sweep()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError([f"run_dir: {self.path} cannot be used: {reason}"]) from error
        return self

    def _sweep(self) -> None:
        """Take away what writers that were killed had not put into its place."""
        for left in self.path.glob(".*.tmp"):
            left.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the directory back; the next holder sees that this one left in order."""
        if self._lock_fd is not None:
            os.ftruncate(self._lock_fd, 0)
            os.close(self._lock_fd)
            self._lock_fd = None

    def is_held(self) -> bool:
        """Whether a process has the directory, wherever it counts itself. No file is changed.

        Who wants to take it meanwhile waits, as for another who takes it.
        """
        try:
            with self._alone():
                lock_fd = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    return not _locked(lock_fd)
                finally:
                    os.close(lock_fd)
        except FileNotFoundError:
            return False
        except RunDirBusy:
            return True

    def fence(self) -> None:
        """Pass a file of the directory that is about to be written. Any thread; some µs.

        Raises:
            RunDirBusy: another process has taken the directory from this one, which was stopped.
        """
        if self._on_taken is None or self._lock_fd is None or self._bears_our_lock(self._lock_fd):
            return
        pid = self.lock.read_text().partition("\n")[0]
        sentence = f"{self.path} was taken over by process {pid}; this one writes nothing more"
        self._on_taken(sentence)
        raise RunDirBusy(sentence)

    def atomic_write(self, name: str, content: bytes) -> None:
        """Replace one of its files."""
        atomic_write(self.path / name, content, self.fence)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bears_our_lock(self, lock_fd: int) -> bool:
        ours = os.fstat(lock_fd)
        try:
            there = self.lock.stat()
        except FileNotFoundError:
            return True  # deleted by hand: nobody has put his own there
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from taking the lock meanwhile: one of us may replace it."""
        folder_fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            deadline = time.monotonic() + _TAKE_LIMIT_S
            while not _locked(folder_fd):
                if time.monotonic() > deadline:
                    raise RunDirBusy(f"{self.path} is being taken by another process: try again")
                time.sleep(0.01)
            yield
        finally:
            os.close(folder_fd)

    def _hold(self, lock_fd: int) -> None:
        self.held_since_ns = os.fstat(lock_fd).st_mtime_ns
        if _locked(lock_fd):
            self.taken_over_from = _pid_in(lock_fd)
            self._sign(lock_fd)
            return
        pid, claim = _pid_in(lock_fd), _claim_in(lock_fd)
        os.close(lock_fd)
        if not claim or claim != self._former_claim:
            holder = f"process {pid}" if pid else "another process"
            hint = f"watchkeeper stop --run-dir {typed(self.path)}"
            raise RunDirBusy(
                f"{self.path} is in use by {holder}; stop it ({hint}) or use another --run-dir"
            )
        self.taken_over_from, self.was_alive = pid, True
        self._replace_lock()

    def _replace_lock(self) -> None:
        """Put a lock of our own in the place of one whose holder was stopped, not killed."""
        new = self.lock.with_name(f".{self.lock.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        lock_fd = _opened(new)
        if not _locked(lock_fd):
            raise RunDirBusy(f"{new} is in use: try again")
        self._sign(lock_fd)
        new.replace(self.lock)

    def _sign(self, lock_fd: int) -> None:
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, f"{os.getpid()}\n{self._claim}\n".encode(), 0)
        self._lock_fd = lock_fd


def atomic_write(
    path: Path, content: bytes, fence: Callable[[], None] = _no_fence, *, mode: int = 0o600
) -> None:
    """Replace a file so that any reader, and any crash, finds the old one or the new one.

    `fence` is called at the last moment, and what it raises leaves the old one.

    Raises:
        OSError: the old one stands.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
        fence()
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Have the disk know which files are in it: what was replaced there outlives a power cut.

    Raises:
        OSError: it may not.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_text(path: Path) -> bool:
    """Whether it can be written down, in `config.effective.toml` and in any line."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _opened(lock: Path) -> int:
    lock_fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if not stat.S_ISREG(os.fstat(lock_fd).st_mode):
        os.close(lock_fd)
        raise ConfigError([f"{lock} is no file, and can keep nobody out: remove it"])
    return lock_fd


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _pid_in(lock_fd: int) -> int | None:
    text = _lines_in(lock_fd)[0]
    return int(text) if text.isascii() and text.isdigit() else None


def _claim_in(lock_fd: int) -> str:
    return "".join(_lines_in(lock_fd)[1:2])


def _lines_in(lock_fd: int) -> list[str]:
    return os.pread(lock_fd, 256, 0).decode(errors="replace").split("\n")
