"""Room in the write-ahead log, made before an order needs it.

While the log becomes longer, each commit has the file system write down its new length as well:
half as long again for a lone order, and now and then milliseconds. A log that was copied is begun
anew at its old length, so this costs a life's first orders only; but most lives have no more.
"""

import sqlite3
from pathlib import Path

ROOM_BYTES = 4 << 20
"""More than is written between two copies in quiet moments; see `actors.tidying`."""
_ASIDE_PAGES = 10
_PUT = "INSERT INTO flags (key, value) VALUES ('room', zeroblob(?))"


def log_of(ledger: Path) -> Path:
    """Give where a ledger's log is or would be: beside what a link leads to."""
    real = ledger.resolve() if ledger.is_file() else ledger
    return real.with_name(f"{real.name}-wal")


def make_room(connection: sqlite3.Connection, log: Path) -> bool:
    """Make the log as long as it will become. A copy of it that follows flushes that too.

    A transaction that does not fit in the cache is written to the log before its end, and the log
    keeps its length when it is taken back: nothing of it is ever in the ledger, whenever the
    process dies, and no reader sees it. Takes some 15 ms.

    Returns:
        Whether it was too short.

    Raises:
        sqlite3.Error: the disk is full, say; nothing was changed.
    """
    if log.stat().st_size >= ROOM_BYTES:
        return False
    (cached,) = connection.execute("PRAGMA cache_size").fetchone()
    connection.execute(f"PRAGMA cache_size = {_ASIDE_PAGES}")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(_PUT, (ROOM_BYTES,))
        finally:
            if connection.in_transaction:  # SQLite itself takes back what a full disk stopped
                connection.execute("ROLLBACK")
    finally:
        connection.execute(f"PRAGMA cache_size = {int(cached)}")
    return True
