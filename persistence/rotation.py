"""Sets a full file of lines aside, compresses and numbers it; each step may be the last.

`NAME` is renamed to `NAME.rotating`, compressed into `NAME.gz.part`, which becomes `NAME.0.gz`
once it is whole on disk; only then `NAME.rotating` goes. The older ones move up by one, from the
first free number down, and `NAME.0.gz` becomes `NAME.1.gz`. Whatever a kill leaves of that says
by itself where to go on, so that no line is lost and none is there twice.
"""

import errno
import gzip
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LEVEL = 1
"""Lines are so much alike that three times the work would save a tenth more."""
_MEGABYTE = 1_000_000
RESERVE_BYTES = 64 * _MEGABYTE
"""Of the disk: so much is left to the ledger by all who only tell of the run."""


def check_room(folder: Path, reserve_bytes: int, wanted_bytes: int = 0) -> None:
    """Leave a part of the disk to others; nothing is asked where none is left.

    Raises:
        OSError: less than that is free.
    """
    if reserve_bytes:
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < reserve_bytes + wanted_bytes:
            spare = reserve_bytes // _MEGABYTE
            raise OSError(errno.ENOSPC, f"the last {spare} MB of the disk are left to the ledger")


class Rotation:
    """Of one file, of which `keep` older ones stay. `fence` is asked before each step."""

    def __init__(
        self, path: Path, keep: int, fence: Callable[[], None], reserve_bytes: int
    ) -> None:
        self.path, self.keep = path, keep
        self._reserve_bytes = reserve_bytes
        self._fence = fence
        self._aside = self._named(".rotating")
        self._part = self._named(".gz.part")

    def rotate(self) -> None:
        """Set the file aside and do all that follows; the name is free then.

        Raises:
            OSError: what is not done is done by the next call. The name may not be free.
        """
        self.finish()
        self._fence()
        self.path.replace(self._aside)
        self.finish()

    def finish(self) -> None:
        """Do what an earlier rotation has left to do.

        Raises:
            OSError: something is still left.
        """
        whole = self.numbered(0)
        if self._aside.exists():
            if self.keep and not whole.exists():
                self._pack(whole)
            self._fence()
            self._aside.unlink()
        if whole.exists():
            self._number(whole)
        self._drop_beyond()

    def numbered(self, number: int) -> Path:
        """Give the name of an older one; 1 is the newest, 0 one that is about to be 1."""
        return self._named(f".{number}.gz")

    def _pack(self, whole: Path) -> None:
        self._fence()
        if not self._aside.is_file():  # a pipe would be waited for
            raise OSError(errno.EINVAL, "it is no plain file", str(self._aside))
        check_room(self.path.parent, self._reserve_bytes, self._aside.stat().st_size)
        try:
            with (
                self._aside.open("rb") as plain,
                open(self._part, "wb", opener=_for_its_owner) as part,
                gzip.open(part, "wb", _LEVEL) as packed,
            ):
                shutil.copyfileobj(plain, packed)
            with self._part.open("rb") as done:
                os.fsync(done.fileno())
        except OSError:
            with suppress(OSError):
                self._part.unlink()
            raise
        self._fence()
        self._part.replace(whole)
        self._sync_folder()

    def _number(self, whole: Path) -> None:
        if not self.keep:
            whole.unlink()
            return
        free = next((n for n in range(1, self.keep) if not self.numbered(n).exists()), self.keep)
        for number in range(free - 1, 0, -1):
            self._fence()
            self.numbered(number).replace(self.numbered(number + 1))
        self._fence()
        whole.replace(self.numbered(1))

    def _drop_beyond(self) -> None:
        """Let go of what an earlier setting kept."""
        number = self.keep + 1
        while self.numbered(number).exists():
            self._fence()
            self.numbered(number).unlink()
            number += 1

    def _sync_folder(self) -> None:
        folder_fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder_fd)
        finally:
            os.close(folder_fd)

    def _named(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)


def _for_its_owner(path: str, flags: int) -> int:
    """Open as what is packed was: the folder may be anybody's to look into."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
