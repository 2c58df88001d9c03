"""Room on the disk that was taken in good time, for a last word when there is none any more."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LEAST_BYTES = 1 << 15


class Spare:
    """A file of zeros beside `target`, in whose place on the disk the target's last content fits.

    Its bytes are written, not only promised, so that writing over them asks for no room; a
    file system that never writes over what it holds (btrfs, zfs) may ask all the same. Whoever
    opens the run directory next sweeps it away if it is left.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(f".{target.name}.{os.getpid()}.spare.tmp")
        self._size = 0

    def fit(self, size: int) -> None:
        """Take room for so many bytes; nothing is done where it is there.

        Raises:
            OSError: it is not; what was there before is.
        """
        if size <= self._size:
            return
        wanted = max(_LEAST_BYTES, 2 * size)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags, 0o600), "wb") as file:
            file.write(bytes(wanted))
            file.flush()
            os.fsync(file.fileno())
        self._size = wanted

    def become(self, content: bytes, fence: Callable[[], None]) -> None:
        """Write into the room, and put the file in the target's place.

        Raises:
            OSError: there is none, or it refuses all the same; the target stands as it was.
        """
        fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.ftruncate(fd, len(content))
            os.fsync(fd)
        fence()
        self._path.replace(self._target)
        self._size = 0

    def drop(self) -> None:
        """Give the room back."""
        self._size = 0
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
