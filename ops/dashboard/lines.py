"""Metric lines, the oldest first, and those that are written later: whatever the files hold."""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
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


class LinesRead(msgspec.Struct):
    """What was found so far."""

    lines: int = 0
    broken: int = 0
    """That do not parse; counted by whoever decodes."""
    too_long: int = 0
    problems: list[str] = []


class LineTail:
    """Reads what is there, and at each later `read` what is new. Opens nothing for writing.

    It keeps the newest file open, so what a rotation takes away meanwhile is still read, once.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._path = run_dir / METRICS
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._is_skipping = False
        self._has_begun = False
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
            yield from self._beginning()
        while True:
            if self._file is not None:
                yield from self._lines(self._file, whole=False)
            if not self._moved():
                return
            yield from self._last_of_rotated()
            self._file = _opened(self._path)
            if self._file is None:
                return

    def _beginning(self) -> Iterator[list[bytes]]:
        older: list[Path] = []
        for _ in range(_TRIES):
            self.close()
            self._file = _opened(self._path)
            older = _without_twin([p for p in metric_files(self._run_dir) if p != self._path])
            if not self._moved():
                break
        for path in older:
            yield from self._whole(path)

    def _last_of_rotated(self) -> Iterator[list[bytes]]:
        """Its writer has let go of it: what is left is whole."""
        if self._file is not None:
            yield from self._lines(self._file, whole=True)
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

    def _whole(self, path: Path) -> Iterator[list[bytes]]:
        file = _opened(path)
        if file is None:
            self._problem(path, "cannot be read")
            return
        with file:
            plain = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            try:
                yield from self._lines(plain, whole=True)
            except (OSError, EOFError, zlib.error) as error:
                self._rest, self._is_skipping = b"", False
                self._problem(path, f"breaks off: {error}")

    def _lines(self, file: "IO[bytes] | gzip.GzipFile", *, whole: bool) -> Iterator[list[bytes]]:
        left = _MOST_BYTES
        while left > 0 and (chunk := file.read(_CHUNK)):
            left -= len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if self._is_skipping and lines:
                del lines[0]
                self._is_skipping = False
            if len(self._rest) > _LONGEST:
                self.found.too_long += not self._is_skipping
                self._rest, self._is_skipping = b"", True
            yield self._counted(lines)
        if left <= 0:
            self.found.problems.append(f"a metrics file was read for {_MOST_BYTES >> 30} GB only")
        if whole:
            yield self._counted([] if self._is_skipping else [self._rest])
            self._rest, self._is_skipping = b"", False

    def _counted(self, lines: list[bytes]) -> list[bytes]:
        usable = [line for line in lines if line and len(line) <= _LONGEST]
        self.found.too_long += sum(len(line) > _LONGEST for line in lines)
        self.found.lines += len(usable)
        return usable

    def _problem(self, path: Path, what: str) -> None:
        self.found.problems.append(f"{path.name} {one_line(what)}")


def _opened(path: Path) -> IO[bytes] | None:
    """Open a plain file and nothing that would block or never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        return path.open("rb")
    except OSError:
        return None


def _without_twin(paths: list[Path]) -> list[Path]:
    """Leave out what a rotation that a crash interrupted has packed already, and not removed."""
    interim = [path for path in paths if path.suffix == ".rotating"]
    packed = [path for path in paths if path.name == f"{METRICS}.1.gz"]
    if interim and packed and _beginning_of(interim[0]) == _beginning_of(packed[0]):
        paths.remove(interim[0])
    return paths


def _beginning_of(path: Path) -> bytes:
    file = _opened(path)
    if file is None:
        return b""
    with file:
        try:
            return (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).read(4_096)
        except (OSError, EOFError, zlib.error):
            return b""
