"""Room in the write-ahead log, made before an order needs it.

While the log becomes longer, each commit has the file system write down its new length as well:
half as long again for a lone order, and now and then milliseconds. A log that was copied is begun
anew at its old length, so this costs a life's first orders only; but most lives have no more.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from persistence.rotation import RESERVE_BYTES

ROOM_BYTES = 4 << 20
"""More than is written between two copies in quiet moments; see `actors.tidying`."""
_ASIDE_PAGES = 10
_PUT = "INSERT INTO flags (key, value) VALUES ('room', zeroblob(?))"
_PUT_BYTES = ROOM_BYTES + (64 << 10)
"""A little more: the last pages of it need not leave the cache."""


def log_of(ledger: Path) -> Path:
    """Give where a ledger's log is or would be: beside what a link leads to."""
    real = ledger.resolve() if ledger.is_file() else ledger
    return real.with_name(f"{real.name}-wal")


def make_room(connection: sqlite3.Connection, log: Path) -> bool:
    """Make the log as long as it will become. A copy of it that follows flushes that too.

    A transaction that does not fit in the cache is written to the log before its end, and the log
    keeps its length when it is taken back: nothing of it is ever in the ledger, whenever the
    process dies, and no reader sees it. Takes some 15 ms, and waits for nobody.

    Returns:
        Whether it was too short, and there is enough free that others keep their reserve.

    Raises:
        OSError: the log is not where the ledger's name leads to.
        sqlite3.Error: somebody else writes, say, or the disk is full; nothing was changed.
    """
    if log.stat().st_size >= ROOM_BYTES:
        return False
    if shutil.disk_usage(log.parent).free < RESERVE_BYTES + _PUT_BYTES:
        return False
    with _set(connection, "busy_timeout", 0), _set(connection, "cache_size", _ASIDE_PAGES):
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(_PUT, (_PUT_BYTES,))
        finally:
            if connection.in_transaction:  # SQLite itself takes back what a full disk stopped
                connection.execute("ROLLBACK")
    return True


@contextmanager
def _set(connection: sqlite3.Connection, name: str, value: int) -> Iterator[None]:
    """Let a setting of the connection be another while the block runs."""
    (before,) = connection.execute(f"PRAGMA {name}").fetchone()
    connection.execute(f"PRAGMA {name} = {value}").fetchall()
    try:
        yield
    finally:
        connection.execute(f"PRAGMA {name} = {int(before)}").fetchall()
