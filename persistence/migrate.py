"""Bring a ledger file to the schema of this version, or refuse it.

The scripts are `migrations/NNNN_name.py`, run by peewee's own runner, which records each by
name in the file itself.
"""

from pathlib import Path

from peewee import SqliteDatabase
from playhouse.migrations import Runner

from messages.errors import LedgerUnavailable

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(database: SqliteDatabase) -> list[str]:
    """Apply what is missing, all of it or nothing, and give the names.

    Two processes that open a new file at once take turns; the second finds nothing to do.

    Raises:
        LedgerUnavailable: a newer version wrote this file; it is untouched.
    """
    runner = Runner(database, str(MIGRATIONS))
    if not _pending(runner):
        return []
    # A script may rebuild a table; that the pragma is off only counts outside a transaction.
    database.pragma("foreign_keys", 0)
    try:
        with database.atomic("EXCLUSIVE"):
            return list(runner.up()) if _pending(runner) else []
    finally:
        database.pragma("foreign_keys", 1)


def check_current(database: SqliteDatabase) -> None:
    """Pass a file that has exactly the schema of this version; writes nothing.

    Raises:
        LedgerUnavailable: it is no ledger, an older or a newer one; the text says which.
    """
    if _pending(Runner(database, str(MIGRATIONS))):
        raise LedgerUnavailable(
            f"{database.database} has no ledger, or one of an older version of watchkeeper:"
            " start its run once with this version to upgrade it"
        )


def _pending(runner: Runner) -> bool:
    """Whether a known script is not applied yet."""
    status = runner.status()
    unknown = [row.name for row in status if row.path is None]
    if unknown:
        raise LedgerUnavailable(
            f"{runner.database.database} was written by a newer version of watchkeeper"
            f" (schema {unknown[-1]}): install that version to use this ledger"
        )
    return any(not row.applied for row in status)
