"""Metric lines, the oldest first, and those that are written later: whatever the files hold."""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from ops.health_text import one_line
from ops.metric_lines import metric_files
from ops.run_files import METRICS

_CHUNK = 1 << 20
_LONGEST = 1 << 20
"""Bytes of one line; an interval of a hundred actors is a twentieth of it."""
_MOST_BYTES = 8 << 30
"""Of one file, decompressed: a few kilobytes of gzip can hold more than any disk."""
_TRIES = 5
_NAMES = 4_096
"""Bytes of a file by which it is known: its first line has the moment of its writing."""
_Aside = tuple[Path, IO[bytes], bytes]
"""A file that was set aside, how it is open, and how it begins."""


class LinesRead(msgspec.Struct):
    """What was found so far."""

    lines: int = 0
    too_long: int = 0
    problems: list[str] = []


class LineTail:
    """Reads what is there, and at each later `read` what is new. Opens nothing for writing.

    It keeps the newest file open, so what a rotation takes away meanwhile is still read, once. So
    is what whole rotations have set aside between two looks: a file is known by how it begins, for
    its name moves on.
    Of that file only whole lines are taken: the bot cuts off at its next start what a kill has
    left half, and what it writes there then begins where the half line began.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._path = run_dir / METRICS
        self._file: IO[bytes] | None = None
        self._place = 0
        """Where the next line of the newest file begins."""
        self._is_skipping = False
        """It is one that is too long, and this is somewhere in it."""
        self._has_begun = False
        self._known: set[bytes] = set()
        """How the files begin that were read, but for the newest."""
        self.found = LinesRead()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> Iterator[list[bytes]]:
        """Give the lines that are new since the last time, many at once."""
        if not self._has_begun:
            self._has_begun = True
            self._open()
            yield from self._set_aside()
        while True:
            if self._file is not None:
                yield from self._new_lines(self._file.fileno())
            if not self._moved():
                return
            yield from self._last_of_rotated()
            self._open()
            yield from self._set_aside()
            if self._file is None:
                return

    def _set_aside(self) -> Iterator[list[bytes]]:
        """Give what rotations have set aside after all that was read; at first all there is."""
        while (found := self._next_aside()) is not None:
            path, file, beginning = found
            self._known.add(beginning)
            yield from self._whole(path, file)

    def _next_aside(self) -> _Aside | None:
        """Open the oldest that is not read yet. To be asked anew for each: names move on."""
        for _ in range(_TRIES):
            before = self._names()
            found = self._oldest_unread([path for path, _ in before])
            if self._names() == before:
                break
            if found is not None:
                found[1].close()
                found = None
        return found

    def _names(self) -> list[tuple[Path, int]]:
        names = []
        for path in metric_files(self._run_dir):
            with suppress(OSError):
                if path != self._path:
                    names.append((path, path.stat().st_ino))
        return names

    def _oldest_unread(self, paths: list[Path]) -> _Aside | None:
        """Go back from the newest to what is known."""
        ours = _beginning_of(self._file) if self._file is not None else b""
        found: _Aside | None = None
        for path in reversed(paths):
            file = _opened(path)
            if file is None:
                self._problem(path, "cannot be read")
                continue
            beginning = _beginning_of(file, is_packed=path.suffix == ".gz")
            if beginning in self._known:
                file.close()
                break
            if beginning and found is not None:
                found[1].close()
                found = None
            if beginning in (ours, b""):  # what is newer than ours comes after it
                file.close()
            else:
                found = (path, file, beginning)
        return found

    def _last_of_rotated(self) -> Iterator[list[bytes]]:
        """Its writer has let go of it: what is left is whole."""
        if self._file is not None:
            self._known |= {_beginning_of(self._file)} - {b""}
            file = self._file.fileno()
            yield from self._new_lines(file)
            if not self._is_skipping:
                yield self._counted(os.pread(file, _LONGEST + 1, self._place).split(b"\n"))
        self.close()

    def _moved(self) -> bool:
        try:
            now = self._path.stat()
        except OSError:
            return False
        if self._file is None:
            return stat.S_ISREG(now.st_mode) and os.access(self._path, os.R_OK)
        ours = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)

    def _whole(self, path: Path, file: IO[bytes]) -> Iterator[list[bytes]]:
        with file:
            plain = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            try:
                yield from self._lines(plain)
            except (OSError, EOFError, zlib.error) as error:
                self._problem(path, f"breaks off: {error}")

    def _open(self) -> None:
        self._file = _opened(self._path)
        self._place, self._is_skipping = 0, False

    def _new_lines(self, file: int) -> Iterator[list[bytes]]:
        """Give the whole lines from `_place` on, which is after the last of them then."""
        if os.fstat(file).st_size < self._place:
            self._place, self._is_skipping = _end_of_lines(file), False
        until = self._place + _MOST_BYTES
        while self._place < until and (chunk := os.pread(file, _LONGEST + 1, self._place)):
            end = chunk.rfind(b"\n") + 1
            if end:
                lines = chunk[:end].split(b"\n")[self._is_skipping :]
                self._is_skipping = False
                self._place += end
                yield self._counted(lines)
            elif self._is_skipping or len(chunk) > _LONGEST:
                self.found.too_long += not self._is_skipping
                self._is_skipping = True
                self._place += len(chunk)
            else:
                return
        if self._place >= until:
            self._read_too_much()

    def _lines(self, file: "IO[bytes] | gzip.GzipFile") -> Iterator[list[bytes]]:
        """Give the lines of a file that nobody writes any more."""
        left, rest, is_skipping = _MOST_BYTES, b"", False
        while left > 0 and (chunk := file.read(_CHUNK)):
            left -= len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            if is_skipping and lines:
                del lines[0]
                is_skipping = False
            if len(rest) > _LONGEST:
                self.found.too_long += not is_skipping
                rest, is_skipping = b"", True
            yield self._counted(lines)
        if left <= 0:
            self._read_too_much()
        yield self._counted([] if is_skipping else [rest])

    def _read_too_much(self) -> None:
        self.found.problems.append(f"a metrics file was read for {_MOST_BYTES >> 30} GB only")

    def _counted(self, lines: list[bytes]) -> list[bytes]:
        usable = list(filter(None, lines))
        if max(map(len, usable), default=0) > _LONGEST:
            self.found.too_long += sum(len(line) > _LONGEST for line in usable)
            usable = [line for line in usable if len(line) <= _LONGEST]
        self.found.lines += len(usable)
        return usable

    def _problem(self, path: Path, what: str) -> None:
        problem = f"{path.name} {one_line(what)}"
        if problem not in self.found.problems:
            self.found.problems.append(problem)


def _opened(path: Path) -> IO[bytes] | None:
    """Open a plain file and nothing that would block or never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        return path.open("rb")
    except OSError:
        return None


def _end_of_lines(file: int) -> int:
    """Give where the last whole line of a file ends."""
    place = os.fstat(file).st_size
    while place > 0:
        start = max(place - _CHUNK, 0)
        found = os.pread(file, place - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0


def _beginning_of(file: IO[bytes], *, is_packed: bool = False) -> bytes:
    """Give the first line, or as much as names it; of what is no archive, as it lies there."""
    start = os.pread(file.fileno(), 4 * _NAMES, 0)
    if is_packed:
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, _NAMES)
        except zlib.error:
            return start[:_NAMES]
    first, end, _ = start[:_NAMES].partition(b"\n")
    return first + end
