"""A file for SQLite that only its owner can read, made without opening one that is there."""

import errno
import os
from contextlib import suppress
from pathlib import Path


def make_private(path: Path) -> None:
    """Make an empty file where there is none; what SQLite makes beside it has its mode then.

    One that is there is not opened: closing any handle of a file gives up all locks that the
    process has on it, also those of its SQLite connections; see `ledger_place.place_in`.

    Raises:
        OSError: it is a link, or cannot be made.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
