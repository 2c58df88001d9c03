"""Copies of a ledger: taken while it is written, put back, and never mistaken for the original.

A copy is one file. It is marked as a copy (`messages.lineage`) before it bears its name, so that it
trades nothing wherever it is put, by hand too; and it is checked as a whole before that.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from messages.errors import LedgerUnavailable
from messages.ids import TimestampNs
from messages.lineage import ACCEPTED, COPIED, UNKNOWN, Accepted, Copied, copied_in, text_of
from messages.stops import Stop, StopState
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
from persistence.log_room import log_of
from persistence.plain_file import check_not_cut, check_plain

HALT, NOTE = "halt", "note:"
"""Under these the ledger keeps its flags."""
HaltText = Callable[[Copied], str]
"""Gives the text of the record with which a copy is halted."""

_BROKEN = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_UNWRITTEN = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC)
_NEWEST = "SELECT count(*), coalesce(max(order_key), '') FROM orders"


def back_up(ledger: Path, to: Path, now_ns: TimestampNs, halt: HaltText) -> Copied:
    """Copy a ledger as it is at one moment; its writer neither waits nor notices.

    `halt` gives the record of a halt for the copy, which has one from its beginning. A copy of
    what is itself a copy, not accepted yet, lacks what that one lacks, and keeps its mark.

    Raises:
        LedgerUnavailable: it cannot be read, or not be written there; there is no copy then.
    """
    if (place := place_in(ledger)) is not None:
        raise LedgerUnavailable(f"{ledger} is {place}: the server's own means copy it")
    source = open_for_reading(ledger)
    try:
        with ledger_errors(ledger), _new(to) as part, closing(_connected(part)) as target:
            _copy(connection_of(source), target)
            mark = _mark_in(target) or _fresh_mark(target, ledger, now_ns)
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
    check_plain(copy)
    if not copy.exists():
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
    if not ledger.is_symlink():
        check_plain(ledger)  # a link is set aside as it is, and what it leads to stays
    with ledger_errors(copy), _new(ledger, replaces=True) as part:
        check_not_cut(copy)
        with closing(_reading(copy)) as source, closing(_connected(part)) as target:
            _copy(source, target)
            mark = _mark_in(target) or UNKNOWN
            _mark(target, mark, halt)
            _check(target, part)
        _upgrade(part)
        if aside is not None and _is_there(ledger):
            _set_aside(ledger, aside)
    return mark


def accept_copy(ledger: Ledger, accepted: Accepted, ended: Iterable[Stop] = ()) -> None:
    """Take the mark away, with a person's word in its place; the halt stays.

    The stops that are `ended` protect nothing from then on.

    Raises:
        LedgerUnavailable: nothing changed.
    """
    why = f"ended when the restored ledger was accepted: {accepted.evidence}"
    done = [msgspec.structs.replace(one, state=StopState.DONE, why=why) for one in ended]
    ledger.write((), (), 0, {ACCEPTED: text_of(accepted), COPIED: ""}, done)


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


def _mark_in(target: sqlite3.Connection) -> Copied | None:
    row = target.execute(sql.SELECT_FLAG, (NOTE + COPIED,)).fetchone()
    return copied_in(str(row[0]) if row else None)


def _fresh_mark(target: sqlite3.Connection, ledger: Path, now_ns: TimestampNs) -> Copied:
    orders, newest = target.execute(_NEWEST).fetchone()
    return Copied(
        copied_at_ns=now_ns,
        orders=orders,
        newest_key=newest,
        run_dir=str(ledger.parent.absolute()),
    )


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
    """Give the ledger that is there another name, all that was committed to it inside.

    One that cannot be opened any more, which a copy is put back for, goes as it is, and its log
    beside it: under the old name that would be taken for the next one's.
    """
    with _kept_log(ledger, aside) as keep:
        if _folded(ledger):
            if log_of(ledger).exists():
                raise LedgerUnavailable(f"somebody has {ledger} open: end that first")
        else:
            keep()
            ledger.with_name(f"{ledger.name}-shm").unlink(missing_ok=True)
        if os.path.lexists(ledger):
            os.link(ledger, aside, follow_symlinks=False)


@contextmanager
def _kept_log(ledger: Path, aside: Path) -> Iterator[Callable[[], None]]:
    """Give the log a second name before SQLite looks at it, which deletes it from a broken ledger.

    Unless it is kept, that name goes again: what was in the log is in the ledger then.
    """
    log, second = log_of(ledger), aside.with_name(f"{aside.name}-wal")
    is_ours = log.exists() and not ledger.is_symlink()
    if is_ours:
        os.link(log, second)
    kept = False

    def keep() -> None:
        nonlocal kept
        kept = True
        if is_ours:
            log.unlink(missing_ok=True)

    try:
        yield keep
    finally:
        if is_ours and not kept:
            second.unlink()


def _folded(ledger: Path) -> bool:
    """Bring its log into it, which then is gone; False where nothing of SQLite's is left there.

    Raises:
        LedgerUnavailable: it cannot be written, or somebody has it.
    """
    if not ledger.is_file() or not ledger.stat().st_size:
        return False  # SQLite would delete the log of a file that it has to make
    try:
        with ledger_errors(ledger), closing(_connected(ledger)):
            return True
    except LedgerUnavailable as error:
        if getattr(error.__cause__, "sqlite_errorcode", None) in _BROKEN:
            return False
        raise


def _is_there(ledger: Path) -> bool:
    return os.path.lexists(ledger) or log_of(ledger).exists()


@contextmanager
def _new(to: Path, *, replaces: bool = False) -> Iterator[Path]:
    """Give a place to write at; what is there in the end bears the name `to`, whole and synced.

    Where it `replaces` a ledger the caller alone has the directory: what a killed one left goes.
    """
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        if os.path.lexists(to) and not replaces:
            raise LedgerUnavailable(f"{to} is there already: name another file")
        for left in to.parent.glob(f".{to.name}.*.part*") if replaces else [part]:
            left.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield part
        _sync(part)
        part.replace(to)
        _sync(to.parent)
    except OSError as error:
        raise LedgerUnavailable(f"{to} cannot be written: {error.strerror or error}") from error
    except sqlite3.Error as error:
        if error.sqlite_errorcode not in _UNWRITTEN:
            raise
        raise LedgerUnavailable(f"{to} cannot be written: {error}; is the disk full?") from error
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
    try:
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=BUSY_MS / 1_000
    )
