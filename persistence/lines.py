"""An append-only file of lines with rotation: `metrics.ndjson`, `.1.gz`, `.2.gz` ...

Lines are for people and never worth an order: a disk that is full, or nearly so, costs lines,
which are counted, and raises nothing.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from messages.ids import NS_PER_S
from persistence.rotation import Rotation, check_room

_BUFFER = 1 << 16
_AT = re.compile(rb'"at_ns":(\d+)')


class RotatingLines:
    """Written by one thread. A file that is full by size, lines or age is rotated.

    `fence` is called before anything goes to the operating system: it does not return in a
    process whose run directory another has taken over. What it raises is the only thing that
    is raised here. `reserve_bytes` of the disk are left to others: the ledger needs them.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        keep: int,
        fence: Callable[[], None] = lambda: None,
        *,
        max_lines: int | None = None,
        max_age_s: int | None = None,
        reserve_bytes: int = 0,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.path, self.max_bytes = path, max_bytes
        self._max_lines, self._max_age_s = max_lines, max_age_s
        self._reserve_bytes = reserve_bytes
        self._fence, self._now_ns = fence, now_ns
        self._rotation = Rotation(path, keep, fence, reserve_bytes)
        self._pending: list[bytes] = []
        self._held = 0
        self._fd: int | None = None
        self._size = self._lines = self._begun_ns = 0
        self._is_unfinished = True
        """Whether a rotation may have left something to do; lines are appended all the same."""
        self.written = 0
        """Lines that the operating system has."""
        self.dropped = 0
        """Lines that it did not take."""
        self.problem = ""
        """Why lines are dropped, or not rotated, now; empty when all is well."""
        with self._noting_problems():
            self._finish()
            self._opened()

    def write(self, line: bytes) -> None:
        """Append one line, its newline with it; buffered."""
        if self._held + len(line) > _BUFFER:
            self._hand_over()
        self._pending.append(line)
        self._held += len(line)

    def flush(self) -> None:
        """Hand all lines to the operating system, and rotate a file that is full."""
        self._hand_over()

    def close(self) -> None:
        """Flush and let go."""
        self._hand_over()
        self._let_go()

    # ------------------------------------------------------------ appending

    def _hand_over(self) -> None:
        self._fence()
        if not self._pending and not self._is_full():
            return  # nothing was tried, so nothing went well
        with self._noting_problems():
            if self._pending:
                self._append()
            if self._is_full():
                self._rotate()
            elif self._is_unfinished:
                self._finish()

    def _append(self) -> None:
        lines = self._pending
        self._pending, self._held = [], 0
        try:
            fd = self._opened()
            check_room(self.path.parent, self._reserve_bytes)
            self._write_all(fd, b"".join(lines))
        except OSError:
            self.dropped += len(lines)
            raise
        if not self._lines:
            self._begun_ns = self._now_ns()
        self._lines += len(lines)
        self.written += len(lines)

    def _write_all(self, fd: int, data: bytes) -> None:
        """Append all of it or nothing: a line that is cut short would spoil the next one."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(fd, left) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(fd, self._size)
            self._let_go()
            raise
        self._size += len(data)

    def _opened(self) -> int:
        """Give the open file."""
        if self._fd is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            fd = os.open(self.path, flags, 0o600)
            try:
                self._size, self._lines, self._begun_ns = self._take_stock(fd)
            except BaseException:
                os.close(fd)
                raise
            self._fd = fd
        return self._fd

    def _take_stock(self, fd: int) -> tuple[int, int, int]:
        """Cut off the line that a kill cut short; give the size, the lines and the age."""
        size = os.fstat(fd).st_size
        lines, whole, place, first = 0, 0, 0, b""
        while place < size and (chunk := os.pread(fd, 1 << 20, place)):
            first = first or chunk[: 1 << 12]
            lines += chunk.count(b"\n")
            end = chunk.rfind(b"\n")
            if end >= 0:
                whole = place + end + 1
            place += len(chunk)
        if place > whole:
            self._fence()
            os.ftruncate(fd, whole)
        at = _AT.search(first.partition(b"\n")[0])
        return whole, lines, int(at[1]) if at else self._now_ns()

    # ------------------------------------------------------------ rotating

    def _is_full(self) -> bool:
        if not self._lines:
            return False
        by_lines = self._max_lines is not None and self._lines >= self._max_lines
        return self._size >= self.max_bytes or by_lines or self._is_old()

    def _is_old(self) -> bool:
        if self._max_age_s is None:
            return False
        return self._now_ns() - self._begun_ns >= self._max_age_s * NS_PER_S

    def _rotate(self) -> None:
        self._finish()  # where that fails the file stays open and grows on: better than lost lines
        self._let_go()
        self._is_unfinished = True
        self._rotation.rotate()
        self._is_unfinished = False
        self._opened()

    def _finish(self) -> None:
        """Do what a kill or a disk that refused has left to do of a rotation."""
        self._rotation.finish()
        self._is_unfinished = False

    def _let_go(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with suppress(OSError):
                os.close(fd)

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        """Note what the disk refuses, until something goes well again."""
        try:
            yield
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror or error}"
        else:
            self.problem = ""
