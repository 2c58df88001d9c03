"""Copies of a ledger: taken while it is written, put back, and never mistaken for the original.

A copy is one file. It is marked as a copy (`messages.lineage`) before it bears its name, so that it
trades nothing wherever it is put, by hand too; and it is checked as a whole before that.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from messages.errors import LedgerUnavailable
from messages.ids import TimestampNs
from messages.lineage import ACCEPTED, COPIED, UNKNOWN, Accepted, Copied, copied_in, text_of
from persistence import statements as sql
from persistence.database import (
    BUSY_MS,
    connection_of,
    ledger_errors,
    open_for_reading,
    open_ledger_database,
)
from persistence.ledger import Ledger
from persistence.ledger_place import place_in

HALT, NOTE = "halt", "note:"
"""Under these the ledger keeps its flags."""
HaltText = Callable[[Copied], str]
"""Gives the text of the record with which a copy is halted."""

_NEWEST = "SELECT count(*), coalesce(max(order_key), '') FROM orders"


def back_up(ledger: Path, to: Path, now_ns: TimestampNs, halt: HaltText) -> Copied:
    """Copy a ledger as it is at one moment; its writer neither waits nor notices.

    `halt` gives the record of a halt for the copy, which has one from its beginning.

    Raises:
        LedgerUnavailable: it cannot be read, or not be written there; there is no copy then.
    """
    if (place := place_in(ledger)) is not None:
        raise LedgerUnavailable(f"{ledger} is {place}: the server's own means copy it")
    source = open_for_reading(ledger)
    try:
        with ledger_errors(ledger), _new(to) as part, closing(_connected(part)) as target:
            _copy(connection_of(source), target)
            orders, newest = target.execute(_NEWEST).fetchone()
            mark = Copied(
                copied_at_ns=now_ns,
                orders=orders,
                newest_key=newest,
                run_dir=str(ledger.parent.absolute()),
            )
            _mark(target, mark, halt)
            _check(target, part)
    finally:
        source.close()
    return mark


def put_back(copy: Path, ledger: Path, halt: HaltText, aside: Path | None) -> Copied:
    """Make a copy the ledger of a run; what is there goes to `aside`, if that is given.

    To be called by the holder of the run directory. A copy that was made by other means gets
    the mark now.

    Raises:
        LedgerUnavailable: it is no whole ledger of this version or an earlier one, or there is
            a ledger already; nothing was changed.
    """
    if not copy.is_file():
        raise LedgerUnavailable(f"there is no file {copy}")
    if place_in(ledger) is not None or place_in(copy) is not None:
        raise LedgerUnavailable(
            f"{ledger} is, or was, in a database: restore that by the server's own means, then"
            " watchkeeper ledger mark RUN"
        )
    if aside is None and _is_there(ledger):
        raise LedgerUnavailable(
            f"{ledger} is there, and may know more than {copy}: say --replace to set it aside"
        )
    with ledger_errors(copy), _new(ledger, replaces=True) as part:
        with closing(_reading(copy)) as source, closing(_connected(part)) as target:
            _copy(source, target)
            row = target.execute(sql.SELECT_FLAG, (NOTE + COPIED,)).fetchone()
            mark = copied_in(str(row[0]) if row else None) or UNKNOWN
            _mark(target, mark, halt)
            _check(target, part)
        _upgrade(part)
        if aside is not None and _is_there(ledger):
            _set_aside(ledger, aside)
    return mark


def accept_copy(ledger: Ledger, accepted: Accepted) -> None:
    """Take the mark away, with a person's word in its place; the halt stays.

    Raises:
        LedgerUnavailable: nothing changed.
    """
    ledger.write((), (), 0, {ACCEPTED: text_of(accepted), COPIED: ""})


def mark_copy(ledger: Ledger, mark: Copied, halt: HaltText) -> None:
    """Mark a ledger that was put back by other means, and halt it unless it is.

    Raises:
        LedgerUnavailable: perhaps it is not marked, or marked and not halted, which is as good.
    """
    ledger.write((), (), 0, {COPIED: text_of(mark)})
    if ledger.halt_reason() is None:
        ledger.set_halt(halt(mark))


# ---------------------------------------------------------------- inside


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy all of it as it is at one moment, in one step: a writer goes on in its log meanwhile."""
    source.backup(target)
    target.execute("PRAGMA journal_mode = DELETE").fetchone()  # the source's came with its pages


def _mark(target: sqlite3.Connection, mark: Copied, halt: HaltText) -> None:
    """Mark it, and halt it unless it is; a halt that it had is the cause, and stays."""
    with target:
        target.execute("BEGIN IMMEDIATE")
        target.execute(sql.SET_FLAG, (NOTE + COPIED, text_of(mark)))
        if target.execute(sql.SELECT_FLAG, (HALT,)).fetchone() is None:
            target.execute(sql.SET_FLAG, (HALT, halt(mark)))


def _check(target: sqlite3.Connection, part: Path) -> None:
    found = [row[0] for row in target.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise LedgerUnavailable(f"{part} is damaged: {'; '.join(map(str, found))}")
    if target.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise LedgerUnavailable(f"{part} is damaged: it has steps or fills of no order")


def _upgrade(part: Path) -> None:
    """See that this version can use it: an older schema is brought up, a newer one refused."""
    open_ledger_database(part).close()
    with closing(_connected(part)) as alone:  # one file again, without a log beside it
        alone.execute("PRAGMA journal_mode = DELETE").fetchone()


def _set_aside(ledger: Path, aside: Path) -> None:
    """Give the ledger that is there another name, all that was committed to it inside."""
    try:
        with ledger_errors(ledger), closing(_connected(ledger)):
            pass  # its log is in it now, and gone: it would be taken for the next one's
    except LedgerUnavailable as error:
        if not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
            error.__cause__, sqlite3.OperationalError
        ):
            raise
        raise LedgerUnavailable(
            f"{ledger} is damaged ({error.__cause__}): move it away by hand, and {ledger.name}-wal"
            " with it, then restore without --replace"
        ) from error
    if ledger.with_name(f"{ledger.name}-wal").exists():
        raise LedgerUnavailable(f"somebody has {ledger} open: end that first")
    os.link(ledger, aside)


def _is_there(ledger: Path) -> bool:
    return ledger.exists() or ledger.with_name(f"{ledger.name}-wal").exists()


@contextmanager
def _new(to: Path, *, replaces: bool = False) -> Iterator[Path]:
    """Give a place to write at; what is there in the end bears the name `to`, whole and synced."""
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        if to.exists() and not replaces:
            raise LedgerUnavailable(f"{to} is there already: name another file")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield part
        _sync(part)
        part.replace(to)
        _sync(to.parent)
    except OSError as error:
        raise LedgerUnavailable(f"{to} cannot be written: {error.strerror or error}") from error
    finally:
        for end in ("", "-wal", "-journal", "-shm"):
            part.with_name(f"{part.name}{end}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1_000, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=BUSY_MS / 1_000
    )
