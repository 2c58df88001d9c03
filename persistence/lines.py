"""An append-only file of lines with rotation: `metrics.ndjson`, `.1.gz`, `.2.gz` ...

A rotation is a rename, then a compression, each of which may be interrupted: what the rename
left is found and compressed at the next opening, and the plain file goes only after its
compressed twin is complete. So a crash between the steps loses nothing.
"""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO

_BUFFER = 1 << 16


class RotatingLines:
    """Written by one thread. `keep` old files stay; the size is checked at each flush.

    `fence` is called before anything goes to the operating system: it does not return in a
    process whose run directory another has taken over.
    """

    def __init__(
        self, path: Path, max_bytes: int, keep: int, fence: Callable[[], None] = lambda: None
    ) -> None:
        self.path, self.max_bytes, self.keep = path, max_bytes, keep
        self._fence = fence
        self._held = 0
        self._finish_rotation()
        self._mend_tail()
        self._file: IO[bytes] = path.open("ab", buffering=_BUFFER)

    def write(self, line: bytes) -> None:
        """Append one line; buffered."""
        if self._held + len(line) > _BUFFER:
            self._hand_over()
        self._file.write(line)
        self._held += len(line)

    def flush(self) -> None:
        """Hand all lines to the operating system, and rotate a file that is full."""
        self._hand_over()
        if self._file.tell() >= self.max_bytes:
            self._rotate()

    def close(self) -> None:
        """Flush and let go."""
        self._fence()
        self._file.close()

    def _hand_over(self) -> None:
        self._fence()
        self._file.flush()
        self._held = 0

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self._interim)
        self._finish_rotation()
        self._file = self.path.open("ab", buffering=_BUFFER)

    def _finish_rotation(self) -> None:
        """Compress what a rename set aside, moving older files up by one first."""
        if not self._interim.exists():
            return
        partial = self.path.with_name(self.path.name + ".gz.part")
        with self._interim.open("rb") as plain, gzip.open(partial, "wb", 6) as packed:
            shutil.copyfileobj(plain, packed)
        with partial.open("rb") as done:
            os.fsync(done.fileno())
        for number in range(self.keep, 0, -1):
            older = self._numbered(number)
            if older.exists():
                if number == self.keep:
                    older.unlink()
                else:
                    older.replace(self._numbered(number + 1))
        partial.replace(self._numbered(1))
        self._interim.unlink()

    def _mend_tail(self) -> None:
        """End a line that a crash cut short, so that the next one stands alone."""
        if self.path.exists() and self.path.stat().st_size:
            with self.path.open("rb+") as file:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    @property
    def _interim(self) -> Path:
        return self.path.with_name(self.path.name + ".rotating")

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}.gz")
