"""One SQLite file, opened so that a commit that returned survives a power cut."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from peewee import InterfaceError, PeeweeException, SqliteDatabase

from messages.errors import LedgerConflict, LedgerFenced, LedgerLost, LedgerUnavailable
from persistence.ledger_place import place_in
from persistence.migrate import check_current, upgrade
from persistence.plain_file import check_plain

FENCED = "another process has taken this ledger over"
"""What the fence says; see `persistence.fence`."""

BUSY_MS = 5_000
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PRIMARY_CODE = 0xFF
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_PUT_BACK = "it is damaged: put a copy back, `watchkeeper ledger restore FILE RUN_DIR --replace`"
_NO_TEXT = "Could not decode to UTF-8"
"""What Python says of a text in a column that is none."""
_FULL = 2
WAL_PAGES = 2_000
"""Log length (8 MB) at which a commit must checkpoint, costing that commit a few milliseconds.

The executor has it copied earlier, when there is nothing else to do.
"""
_PRAGMAS = {
    "busy_timeout": BUSY_MS,
    "journal_mode": "wal",
    "synchronous": _FULL,
    "wal_autocheckpoint": WAL_PAGES,
    "foreign_keys": 1,
}


def open_ledger_database(path: Path, utc_ns: Callable[[], int] = time.time_ns) -> SqliteDatabase:
    """Open the one writing connection, creating or upgrading the file if need be.

    `utc_ns` says when that was. The connection belongs to the calling thread: SQLite's driver
    refuses any other.

    Raises:
        LedgerUnavailable: the file cannot be a durable ledger here; the text says why.
    """
    _check_here(path)
    _make_for_its_owner(path)
    database = SqliteDatabase(
        str(path), pragmas=_PRAGMAS, timeout=BUSY_MS / 1_000, thread_safe=False, autoconnect=False
    )
    with ledger_errors(path), _closed_on_error(database):
        database.connect()
        _check_pragmas(database)
        upgrade(database, utc_ns)
    return database


def open_for_reading(path: Path) -> SqliteDatabase:
    """Open a second connection that can neither write nor checkpoint, for the calling thread.

    Raises:
        LedgerTooNew: a newer version wrote it.
        LedgerUnavailable: there is no such file, or it is no ledger of this version.
    """
    _check_here(path)
    if not path.exists():
        raise LedgerUnavailable(f"there is no ledger at {path}: has this run ever started?")
    database = SqliteDatabase(
        f"file:{quote(str(path.absolute()))}?mode=ro",
        uri=True,
        timeout=BUSY_MS / 1_000,
        thread_safe=False,
        autoconnect=False,
    )
    with ledger_errors(path), _closed_on_error(database):
        database.connect()
        check_current(database)
    return database


def has_tables(path: Path) -> bool:
    """Whether anything was ever made in a file; of one that SQLite cannot read, it may have been.

    Raises:
        LedgerUnavailable: what stands there is no plain file.
    """
    check_plain(path)
    if not path.exists() or not path.stat().st_size:
        return False
    with suppress(sqlite3.Error), closing(_connected_to_look(path)) as connection:
        return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    return True


def _connected_to_look(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def _make_for_its_owner(path: Path) -> None:
    """Make the file if it is not there, before SQLite does; its log gets the mode that it has.

    One that is there is not opened: see `place_in`.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with suppress(OSError):  # it is there, or cannot be made, which SQLite says too
        os.close(os.open(path, flags, 0o600))


def _check_here(path: Path) -> None:
    check_plain(path)
    if (elsewhere := place_in(path)) is not None:
        raise LedgerUnavailable(
            f"{path} is no ledger, but stands for {elsewhere}: that is opened, copied and put back"
            " where it is, with the database's own tools"
        )


def connection_of(database: SqliteDatabase) -> sqlite3.Connection:
    """Give the driver's own connection, for constant SQL on the hot path.

    Raises:
        InterfaceError: the database is closed; see `ledger_errors`.
    """
    if database.is_closed():  # peewee would open it again
        raise InterfaceError("it is closed")
    connection: sqlite3.Connection = database.connection()  # type: ignore[no-untyped-call]  # peewee has no types
    return connection


@contextmanager
def ledger_errors(path: Path) -> Iterator[None]:
    """Turn what peewee or SQLite raise inside into the house's errors, with the cause.

    Raises:
        LedgerConflict: a row with this key is there already.
        LedgerFenced: this process may not write it any more.
        LedgerLost: another process keeps it locked, and nothing was written: that passes.
        LedgerUnavailable: anything else. The change was not promised. After a failed flush
            it may yet turn up when the file is next recovered; a lookup settles it.
    """
    try:
        yield
    except sqlite3.IntegrityError as error:
        if FENCED in str(error):
            raise LedgerFenced(f"{path}: {error}: this one may not write any more") from error
        if error.sqlite_errorname == "SQLITE_CONSTRAINT_TRIGGER":
            raise LedgerUnavailable(f"{path}: {error}: stop one of the two") from error
        raise LedgerConflict(f"{path} refused a row: {error}") from error
    except (PeeweeException, sqlite3.Error, UnicodeDecodeError) as error:
        first = first_cause(error)
        if is_locked(first):
            raise LedgerLost(f"another process keeps the ledger {path} locked: {first}") from first
        todo = f"; {_PUT_BACK}" if is_damaged(first) else ""
        raise LedgerUnavailable(f"the ledger {path} cannot be used: {first}{todo}") from first


def first_cause(error: BaseException) -> BaseException:
    """Find what went wrong first.

    SQLite ends a transaction on a full disk by itself, and then peewee's rollback fails too.
    """
    while isinstance(error.__context__, (PeeweeException, sqlite3.Error)):
        error = error.__context__
    return error


def is_locked(error: BaseException | None) -> bool:
    """Whether somebody else had what a statement wanted for itself; it has done nothing then."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE in _LOCKED


def is_damaged(error: BaseException | None) -> bool:
    """Whether a file is no database, or not whole: no wait and no room will mend it.

    So is one whose text is none: nobody of ours has written it.
    """
    if isinstance(error, UnicodeDecodeError) or _NO_TEXT in str(error):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE in _DAMAGED


@contextmanager
def _closed_on_error(database: SqliteDatabase) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(PeeweeException, sqlite3.Error):
            database.close()
        raise


def _check_pragmas(database: SqliteDatabase) -> None:
    for name, wanted in _PRAGMAS.items():
        found = database.pragma(name)
        if found != wanted:
            raise LedgerUnavailable(
                f"{database.database} cannot be a durable ledger: its file system left"
                f" {name} at {found!r} instead of {wanted!r}; put run_dir on a local disk"
            )
