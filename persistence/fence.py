"""Who may write a ledger: the process that took it last, and no other, however late it wakes.

The ledger holds the number of its writer. A process that may trade the account takes the next
one, and each connection that it opens checks its own against it: within the statement that
writes, by triggers that live in that connection and nowhere in the file. So nothing can come
between the check and the write, a claim costs one look at a row, and no statement of the ledger
knows of it.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from peewee import SqliteDatabase

from messages.errors import LedgerFenced
from persistence import statements as sql
from persistence.database import FENCED, connection_of, ledger_errors, open_ledger_database

WRITER = "writer"
"""The flag whose value is the number of the process that may write."""

_GUARDED: Sequence[tuple[str, str]] = (
    ("orders", "INSERT"),
    ("orders", "UPDATE"),
    ("flags", "INSERT"),
    ("flags", "UPDATE"),
    ("flags", "DELETE"),
    ("stops", "INSERT"),
)
"""Every transaction of a ledger touches one of these: an execution comes with its order."""

_TRIGGER = (
    "CREATE TEMP TRIGGER fence_{table}_{verb} BEFORE {verb} ON main.{table}"
    " WHEN (SELECT value FROM main.flags WHERE key = '{flag}') IS NOT '{number:d}'"
    " BEGIN SELECT RAISE(ABORT, '{text}'); END"
)


def take_writing(path: Path) -> int:
    """Make the caller the ledger's one writer, and every earlier one's writes fail.

    Creates or upgrades the file if need be. To be called by the holder of the account's lease
    and of the run directory, once, before anything else is opened.

    Raises:
        LedgerUnavailable: it cannot be written now; a process that was stopped in the middle of
            a write keeps others from it until it goes on or is killed.
    """
    database = open_ledger_database(path)
    try:
        with ledger_errors(path), database.transaction("IMMEDIATE"):
            number = _writer(database) + 1
            connection_of(database).execute(sql.SET_FLAG, (WRITER, str(number)))
        return number
    finally:
        database.close()


def fence(database: SqliteDatabase, number: int) -> None:
    """Let this connection write for as long as `number` is the writer's.

    Raises:
        LedgerFenced: it is not any more.
        PeeweeException: and whatever else the file refuses; see `ledger_errors`.
    """
    connection = connection_of(database)
    for table, verb in _GUARDED:
        connection.execute(
            _TRIGGER.format(table=table, verb=verb, flag=WRITER, number=number, text=FENCED)
        )
    check_writer(database, number)


def check_writer(database: SqliteDatabase, number: int) -> None:
    """Look whether `number` is still the writer's.

    Raises:
        LedgerFenced: another process has taken the ledger over.
    """
    if _writer(database) != number:
        raise LedgerFenced(f"{database.database}: {FENCED}")


def _writer(database: SqliteDatabase) -> int:
    row: sqlite3.Row | None = connection_of(database).execute(sql.SELECT_FLAG, (WRITER,)).fetchone()
    return int(row[0]) if row is not None else 0
