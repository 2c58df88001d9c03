"""Bring a ledger file to the schema of this version, or refuse it.

The scripts are `migrations/NNNN_name.py`, run by peewee's own runner, which records each by
name in the file itself. It is imported where there is something to run.
"""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from peewee import SqliteDatabase

from messages.errors import LedgerTooNew, LedgerUnavailable
from persistence import schema

MIGRATIONS = Path(__file__).with_name("migrations")

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_APPLIED = "SELECT name FROM schema_migration"


def upgrade(database: SqliteDatabase, utc_ns: Callable[[], int]) -> list[str]:
    """Apply what is missing, all of it or nothing, and give the names.

    The file says that each was applied at the moment that `utc_ns` gives: the caller's clock, so
    that a run in virtual time leaves nothing of the wall clock behind. Two processes that open a
    new file at once take turns; the second finds nothing to do.

    Raises:
        LedgerTooNew: a newer version wrote this file; it is untouched.
    """
    if not _pending(database):
        return []
    # A script may rebuild a table; that the pragma is off only counts outside a transaction.
    database.pragma("foreign_keys", 0)
    try:
        with database.atomic("EXCLUSIVE"):
            at_ns = utc_ns()
            made = _make(database, at_ns)
            return [*made, *_run(database, at_ns)] if _pending(database) else made
    finally:
        database.pragma("foreign_keys", 1)


def check_current(database: SqliteDatabase) -> None:
    """Pass a file that has exactly the schema of this version; writes nothing.

    Raises:
        LedgerUnavailable: it is no ledger, an older or a newer one; the text says which.
    """
    if _pending(database):
        raise LedgerUnavailable(
            f"{_path(database)} has no ledger, or one of an older version of watchkeeper:"
            " start its run once with this version to upgrade it"
        )


def _make(database: SqliteDatabase, at_ns: int) -> list[str]:
    """Give an empty file the schema at once; leave any other as it is."""
    names = [*schema.NAMES]
    if _rows(database, _TABLES) or _scripts()[: len(names)] != names:
        return []
    for statement in schema.STATEMENTS:
        database.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types
    for name in names:
        database.execute_sql(schema.RECORD, (at_ns, name))  # type: ignore[no-untyped-call]  # peewee has no types
    return names


def _run(database: SqliteDatabase, at_ns: int) -> list[str]:
    from playhouse.migrations import Runner

    names = list(Runner(database, str(MIGRATIONS)).up())
    for name in names:
        database.execute_sql(schema.RECORDED, (at_ns, name))  # type: ignore[no-untyped-call]  # peewee has no types
    return names


def _pending(database: SqliteDatabase) -> bool:
    """Whether a known script is not applied yet."""
    tables = _rows(database, _TABLES)
    applied = _rows(database, _APPLIED) if "schema_migration" in tables else []
    known = _scripts()
    unknown = sorted(set(applied) - set(known))
    if unknown:
        raise LedgerTooNew(
            f"{_path(database)} was written by a newer version of watchkeeper"
            f" (schema {unknown[-1]}): install that version to use this ledger"
        )
    return len(applied) < len(known)


def _path(database: SqliteDatabase) -> str:
    """Name the file as a person does, however it was opened."""
    name = str(database.database)
    return unquote(name[5:].partition("?")[0]) if name.startswith("file:") else name


def _scripts() -> list[str]:
    return sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))


def _rows(database: SqliteDatabase, statement: str) -> list[str]:
    cursor = database.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types
    return [name for (name,) in cursor.fetchall()]
