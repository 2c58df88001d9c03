"""A directory of segments, ``00000001.wkj`` and on: written by one thread, read by anybody.

Nothing is synced: a kill loses what was not flushed yet, a loss of power what the system had
not written. What is left of either is a torn tail, which the next writer cuts off.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from messages.ids import DAY_NS
from persistence.frames import (
    HEADER_SIZE,
    SEAL,
    Damage,
    Frame,
    Header,
    frames_of,
    header_of,
    packed,
    packed_header,
    seal_frame,
)
from persistence.rotation import check_room

SUFFIX, TORN = ".wkj", ".torn"


class Retention(NamedTuple):
    """Which old segments go, when a new one begins. The newest always stays."""

    segments: int = 100
    megabytes: int = 1_000
    days: int = 30


class Found(NamedTuple):
    """A damage, and where."""

    segment: Path
    damage: Damage


def segments(folder: Path) -> list[Path]:
    """Give the segments, oldest first."""
    named = [p for p in folder.glob(f"*{SUFFIX}") if p.stem.isascii() and p.stem.isdigit()]
    return sorted(named, key=lambda path: int(path.stem))


def begun_at(path: Path) -> int | None:
    """Say when a segment begins; None when nobody can, or it was removed meanwhile."""
    try:
        with path.open("rb") as file:
            header = header_of(file.read(HEADER_SIZE))
    except FileNotFoundError:
        return None
    return header.begun_ns if isinstance(header, Header) else None


def read_segment(path: Path, *, seals: bool = False) -> Iterator[Frame | Found]:
    """Give the whole frames of a segment, then its damage if it has one.

    Of `seals`, which are no messages, only who asks is told.

    Raises:
        OSError: it cannot be read, or was removed meanwhile.
    """
    content = path.read_bytes()
    header = header_of(content)
    if isinstance(header, Damage):
        yield Found(path, header)
        return
    for item in frames_of(content):
        if isinstance(item, Damage):
            yield Found(path, item)
        elif seals or item.origin != SEAL:
            yield item


def read_journal(folder: Path) -> Iterator[Frame | Found]:
    """Give all that can be read, segment after segment, and what cannot.

    A segment that is missing between two is a damage of the later one. Only the last may be torn:
    a start cuts a torn tail off before it begins the next.
    """
    before: int | None = None
    there = segments(folder)
    for path in there:
        number = int(path.stem)
        if before is not None and number != before + 1:
            gone = Damage(0, f"segments {before + 1} to {number - 1} are gone", is_torn=False)
            yield Found(path, gone)
        before, is_last = number, path == there[-1]
        with suppress(FileNotFoundError):  # its run has let go of it since it was listed
            for item in read_segment(path):
                yield item if is_last or isinstance(item, Frame) else _not_torn(item)


def torn_tails(folder: Path) -> list[Path]:
    """Give what starts have cut off and laid beside, oldest first."""
    return sorted(folder.glob(f"*{TORN}"))


def _not_torn(found: Found) -> Found:
    return found._replace(damage=found.damage._replace(is_torn=False))


class JournalWriter:
    """Used by one thread. Begins a segment of its own, so that what is damaged stays as it is.

    `fence` is called before anything is written. `mended` is the torn tail that was cut off.
    `reserve_bytes` of the disk are left to others: the ledger needs them.

    Raises:
        OSError: from every method. Of what was to be written the frames that `written` counts
            are there, whole, and nothing behind them; writing may be tried again.
    """

    def __init__(
        self,
        folder: Path,
        utc_ns: Callable[[], int],
        *,
        rotate_bytes: int = 16_000_000,
        retention: Retention = Retention(),  # noqa: B008 - immutable
        fence: Callable[[], None] = lambda: None,
        reserve_bytes: int = 0,
    ) -> None:
        self._folder, self._utc_ns, self._fence = folder, utc_ns, fence
        self._reserve_bytes = reserve_bytes
        self._rotate_bytes, self._retention = rotate_bytes, retention
        folder.mkdir(mode=0o700, exist_ok=True)
        self.mended = self._mend_tail()
        there = segments(folder)
        self._number = int(there[-1].stem) if there else 0
        self._fd = -1
        self._size = 0
        self._is_torn = False
        self._begun_ns = utc_ns()
        """Of the next segment, if it does not exist yet."""
        self.written = 0
        """Frames that the operating system has whole, whatever became of the rest."""
        self._begin()

    @property
    def segment(self) -> Path:
        """The one that is written now, or was last."""
        return self._named(self._number)

    def write(self, frames: list[Frame]) -> None:
        """Hand frames to the operating system, all of them in this order."""
        self.write_packed(list(map(packed, frames)))

    def write_packed(self, contents: list[bytes]) -> None:
        """Hand over frames that are packed already; see `frames.packed`."""
        if self._fd < 0:
            self._begin()
        before = self._size
        check_room(self._folder, self._reserve_bytes)
        try:
            self._put(b"".join(contents))
        except OSError:
            self._cut_short(before, contents)
            raise
        self.written += len(contents)
        if self._size >= self._rotate_bytes:
            self._begun_ns = self._utc_ns()
            self._seal(self._begun_ns)
            self._begin()

    def seal(self) -> None:
        """Say that the run ended in order, and that nothing is missing up to now."""
        if self._fd >= 0:
            self._seal(None)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _begin(self) -> None:
        self.close()
        if self._is_torn:
            self._mend_tail()
            self._is_torn = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fence()
        check_room(self._folder, self._reserve_bytes)
        path = self._named(self._number + 1)
        self._fd = os.open(path, flags, 0o600)
        self._size = 0
        try:
            self._put(packed_header(self._number + 1, self._begun_ns))
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise
        self._number += 1
        self._retire()

    def _seal(self, next_begun_ns: int | None) -> None:
        content, before = packed(seal_frame(self._utc_ns(), next_begun_ns)), self._size
        try:
            self._put(content)
        except OSError:
            self._cut_short(before, [content])
            raise

    def _put(self, content: bytes) -> None:
        self._fence()
        view = memoryview(content)
        while view:
            written = os.write(self._fd, view)
            self._size += written
            view = view[written:]

    def _cut_short(self, before: int, contents: list[bytes]) -> None:
        """Count what is whole, and take away what is not; if that fails, leave the segment."""
        ends = list(accumulate(map(len, contents), initial=before))
        whole = bisect_right(ends, self._size) - 1
        self.written += whole
        try:
            os.ftruncate(self._fd, ends[whole])
            os.lseek(self._fd, ends[whole], os.SEEK_SET)
        except OSError:
            self.close()
            self._is_torn = True
            self._begun_ns = self._utc_ns()
        self._size = ends[whole]

    def _named(self, number: int) -> Path:
        return self._folder / f"{number:08}{SUFFIX}"

    def _retire(self) -> None:
        """Remove what is too old, too many or too much; oldest first."""
        kept = self._retention
        old = [(path, path.stat()) for path in segments(self._folder)[:-1]]
        total = sum(stat.st_size for _, stat in old)
        oldest_ns = self._utc_ns() - kept.days * DAY_NS
        for place, (path, stat) in enumerate(old):
            is_too_much = total > kept.megabytes * 1_000_000
            is_too_many = len(old) - place > kept.segments - 1
            if not (is_too_much or is_too_many or stat.st_mtime_ns < oldest_ns):
                return
            path.unlink(missing_ok=True)
            path.with_suffix(TORN).unlink(missing_ok=True)
            total -= stat.st_size

    def _mend_tail(self) -> Found | None:
        """Cut a torn tail off the newest segment, and put it beside; a flipped bit may look so."""
        there = segments(self._folder)
        if not there:
            return None
        newest = there[-1]
        damage = next((item for item in read_segment(newest) if isinstance(item, Found)), None)
        if damage is None or not damage.damage.is_torn:
            return damage
        self._fence()
        if damage.damage.offset < HEADER_SIZE:
            newest.replace(newest.with_suffix(TORN))
        else:
            tail = newest.read_bytes()[damage.damage.offset :]
            beside = newest.with_suffix(TORN)
            beside.touch(mode=0o600)  # no more than its owner's, as the segment is
            beside.write_bytes(tail)
            os.truncate(newest, damage.damage.offset)
        return damage
