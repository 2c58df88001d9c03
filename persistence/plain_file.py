"""What stands where a ledger should be, when it is no plain file; and whether a file was cut."""

import os
import stat
from pathlib import Path

from messages.errors import LedgerUnavailable

_HEAD = 100
"""Bytes of a header of SQLite's. In it are the size of a page and the number of pages."""
_MAGIC = b"SQLite format 3\0"


def check_plain(path: Path) -> None:
    """Pass what is a plain file, a link to one, or not there.

    A link that leads nowhere does not pass: SQLite would begin an empty ledger behind it, on the
    bare directory of a disk that is not mounted, say.

    Raises:
        LedgerUnavailable: it is anything else; the text says what.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise LedgerUnavailable(
                f"{path} is a link to {path.readlink()}, where nothing is: is its disk mounted?"
            ) from None
        return
    except OSError as error:
        raise LedgerUnavailable(f"{path} cannot be reached: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise LedgerUnavailable(f"{path} is {_kind(mode)}, and no ledger: move it away")


def check_not_cut(path: Path) -> None:
    """Pass a file of SQLite's that has all of its pages, or that has a log to complete it.

    What lacks less than a page at its end SQLite itself reads as if zeros were there.

    Raises:
        LedgerUnavailable: it is none, or a part of one.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head, size = file.read(_HEAD), os.fstat(file.fileno()).st_size
    if len(head) < _HEAD or not head.startswith(_MAGIC):
        raise LedgerUnavailable(f"{path} is no ledger: its beginning is another file's")
    page = int.from_bytes(head[16:18], "big")
    page = 65_536 if page == 1 else page
    whole = page * int.from_bytes(head[28:32], "big")
    if size < whole and not path.with_name(f"{path.name}-wal").exists():
        raise LedgerUnavailable(f"{path} was cut: it has {size} of {whole} bytes; copy it anew")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
