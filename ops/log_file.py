"""The file that log lines go to. A disk that is full costs lines, and a sentence on stderr."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from glob import escape
from pathlib import Path

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
"""With them a log is opened: a pipe in its place is refused, and not waited for."""


class LogFile:
    """Whole lines at the end of a file that is its owner's alone; a full one is set aside.

    A line that cannot be written is left out, and nothing is raised: who logs is in trouble
    already. `tell` is given one sentence when that begins, and one when it is over. Of those set
    aside the newest `keep` stay.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(
        self, path: Path, *, rotate_bytes: int, keep: int, tell: Callable[[str], object]
    ) -> None:
        self._path, self._rotate_bytes, self._keep = path, rotate_bytes, keep
        self._tell = tell
        self._left_out = 0
        self._file = open_log_file(path)

    def write(self, text: str) -> None:
        """Put a line at the end. Loguru calls it, one thread at a time."""
        line = text.encode("utf-8", "backslashreplace")
        try:
            self._append(line)
        except OSError as error:
            self._left_out += 1
            if self._left_out == 1:
                why = error.strerror or str(error)
                self._tell(f"{self._path.name} cannot be written, lines are left out: {why}")
            return
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            self._tell(f"{self._path.name} is written again; lines that were left out: {left_out}")

    def stop(self) -> None:
        """Close the file. Loguru calls it when nothing more comes."""
        os.close(self._file)

    def _append(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        if size and size + len(line) > self._rotate_bytes:
            self._set_aside()
            size = 0
        if os.write(self._file, line) < len(line):
            os.ftruncate(self._file, size)  # half a line is none
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _set_aside(self) -> None:
        """Begin a new file; it is tried again with the next line where none can be opened."""
        at = datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S_%f")
        with suppress(FileNotFoundError):  # set aside before, when no new one could be opened
            self._path.rename(self._path.with_suffix(f".{at}{self._path.suffix}"))
        before, self._file = self._file, open_log_file(self._path)
        os.close(before)
        with suppress(OSError):
            self._remove_old()

    def _remove_old(self) -> None:
        name = f"{escape(self._path.stem)}.*{escape(self._path.suffix)}"
        aside = self._path.parent.glob(name)
        newest_first = sorted(aside, key=lambda one: (-one.stat().st_mtime_ns, one.name))
        for old in newest_first[self._keep :]:
            old.unlink()


def open_log_file(path: Path) -> int:
    """Open a log to append to, for its owner alone.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, FLAGS, 0o600)
