"""The log gets its length in a quiet moment: no order pays for it, and nothing else is changed."""

import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from actors.tidying import TIDY_ROWS
from messages.values import OrderState as S
from persistence.database import connection_of, open_for_reading
from persistence.ledger import Claim, SqliteLedger, Step
from persistence.log_room import ROOM_BYTES, log_of, make_room
from persistence.rotation import RESERVE_BYTES

ClaimOf = Callable[..., Claim]
StepOf = Callable[..., Step]


@pytest.fixture
def raw(disk: SqliteLedger) -> sqlite3.Connection:
    return connection_of(disk._database)


@pytest.fixture
def log(path: Path) -> Path:
    return log_of(path)


def flags_in(connection: sqlite3.Connection) -> list[Any]:
    return connection.execute("SELECT key FROM flags ORDER BY key").fetchall()


def test_lone_orders_until_the_next_copy_find_the_log_as_long_as_they_need_it(
    disk: SqliteLedger, log: Path, claim_of: ClaimOf, step_of: StepOf
) -> None:
    disk.claim([claim_of(0)], 1)
    assert log.stat().st_size < ROOM_BYTES / 10

    disk.tidy()

    room = log.stat().st_size
    assert room >= ROOM_BYTES
    for number in range(1, TIDY_ROWS // 3 + 1):
        disk.claim([claim_of(number)], 1)
        disk.record([step_of(number, S.SENT)])
        disk.record([step_of(number, S.FILLED, "1.5")])
    assert log.stat().st_size == room


def test_what_is_in_the_ledger_stays_as_it_was_for_whoever_reads(
    disk: SqliteLedger, raw: sqlite3.Connection, path: Path, log: Path, claim_of: ClaimOf
) -> None:
    disk.claim([claim_of(number) for number in range(20)], 1)
    before, flags = disk.open_entries(), flags_in(raw)
    pages = raw.execute("PRAGMA page_count").fetchone()
    with closing(open_for_reading(path)) as earlier:
        reader = connection_of(earlier)
        reader.execute("BEGIN")
        assert flags_in(reader) == flags

        assert make_room(raw, log)

        assert flags_in(reader) == flags
    assert (flags_in(raw), raw.execute("PRAGMA page_count").fetchone()) == (flags, pages)
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert list(disk.entries()) == before
    disk.claim([claim_of(20)], 1)
    assert len(list(disk.entries())) == 21


def test_it_is_made_once_in_a_life_and_the_settings_are_as_before(
    disk: SqliteLedger, path: Path, log: Path
) -> None:
    disk.close()  # and its log is gone, as that of any life that ended in order
    with closing(SqliteLedger(path)) as ledger:
        raw = connection_of(ledger._database)
        before = settings_of(raw)

        assert make_room(raw, log)
        assert not make_room(raw, log)

        assert settings_of(raw) == before
        assert not raw.in_transaction
        assert log.stat().st_size < 1.1 * ROOM_BYTES


def settings_of(connection: sqlite3.Connection) -> list[Any]:
    names = ("cache_size", "busy_timeout", "wal_autocheckpoint", "synchronous")
    return [connection.execute(f"PRAGMA {name}").fetchone() for name in names]


@pytest.mark.timeout(60)
def test_who_is_writing_is_not_waited_for(
    disk: SqliteLedger, raw: sqlite3.Connection, path: Path, log: Path
) -> None:
    size = log.stat().st_size
    raw.execute("PRAGMA busy_timeout = 600000").fetchall()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        disk.tidy()
    assert log.stat().st_size == size
    disk.tidy()
    assert log.stat().st_size >= ROOM_BYTES


def test_a_log_that_its_name_does_not_lead_to_any_more_is_left_as_it_is(
    tmp_path: Path, claim_of: ClaimOf
) -> None:
    """A link to the directory that was changed, say: what is open stays open."""
    one, other, link = (tmp_path / name for name in ("one", "other", "link"))
    one.mkdir()
    other.mkdir()
    link.symlink_to(one)
    with closing(SqliteLedger(link / "ledger.db")) as ledger:
        link.unlink()
        link.symlink_to(other)
        ledger.tidy()
        ledger.claim([claim_of(0)], 1)
    with closing(SqliteLedger(one / "ledger.db")) as ledger:
        assert len(ledger.open_entries()) == 1


def test_a_disk_on_which_little_is_left_keeps_that_for_others(
    disk: SqliteLedger, raw: sqlite3.Connection, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, free = log.stat().st_size, shutil.disk_usage(log.parent)
    little = free._replace(free=RESERVE_BYTES + ROOM_BYTES // 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: little)
    assert not make_room(raw, log)
    disk.tidy()
    assert log.stat().st_size == size


def test_the_log_of_a_ledger_behind_a_link_is_beside_what_it_leads_to(
    tmp_path: Path, disk: SqliteLedger, path: Path
) -> None:
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    assert log_of(link).samefile(log_of(path))


def test_a_copy_of_the_files_made_in_between_opens_with_what_was_committed(
    disk: SqliteLedger, raw: sqlite3.Connection, path: Path, log: Path, claim_of: ClaimOf
) -> None:
    """As after a power cut that let all of the log reach the disk."""
    disk.claim([claim_of(number) for number in range(20)], 1)
    make_room(raw, log)
    copy = path.with_name("copy.db")
    shutil.copyfile(path, copy)
    shutil.copyfile(log, log_of(copy))

    with closing(SqliteLedger(copy)) as ledger:
        assert ledger.open_entries() == disk.open_entries()
        ledger.claim([claim_of(20)], 1)
        assert len(list(ledger.entries())) == 21


_DIES_IN_IT = """
from persistence.database import connection_of
ledger.claim([make_claim(number) for number in range(20)], 1)
connection = connection_of(ledger._database)
def die(statement):
    if statement == "ROLLBACK":
        assert Path(str(path) + "-wal").stat().st_size > {room}
        os.kill(os.getpid(), signal.SIGKILL)
connection.set_trace_callback(die)
ledger.tidy()
"""


@pytest.mark.slow
def test_a_kill_while_it_is_made_leaves_nothing_of_it(
    child: Callable[[str], "Popen[str]"], path: Path, claim_of: ClaimOf
) -> None:
    assert child(_DIES_IN_IT.format(room=ROOM_BYTES)).wait(60) == -9
    with closing(SqliteLedger(path)) as ledger:
        assert ledger.states() == {S.CLAIMED: 20}
        assert flags_in(connection_of(ledger._database)) == []
        ledger.claim([claim_of(20)], 1)
    with closing(SqliteLedger(path)) as ledger:
        assert ledger.states() == {S.CLAIMED: 21}


@pytest.fixture
def small_disk(log: Path, disk: SqliteLedger, claim_of: ClaimOf) -> Iterator[None]:
    disk.claim([claim_of(0)], 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
def test_a_disk_too_full_for_it_takes_orders_and_copies_as_long_as_it_can(
    disk: SqliteLedger, raw: sqlite3.Connection, path: Path, log: Path, claim_of: ClaimOf
) -> None:
    cached = raw.execute("PRAGMA cache_size").fetchone()

    with pytest.raises(sqlite3.OperationalError, match=r"full|I/O"):
        make_room(raw, log)

    assert not raw.in_transaction
    assert raw.execute("PRAGMA cache_size").fetchone() == cached
    disk.claim([claim_of(1)], 1)
    disk.tidy()
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as without_log:
        assert without_log.execute("SELECT count(*) FROM orders").fetchone() == (2,)
