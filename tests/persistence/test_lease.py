"""What every place of a lease must do, and what the file must do besides."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import persistence
from messages.errors import LeaseUnavailable
from messages.lease import Lease
from persistence.lease import LeaseStore, SqliteLeases
from tests.persistence.lease_model import ACCOUNT, ListedLeases, lease

ROOT = Path(persistence.__file__ or "").parent.parent
RACER = """
import sys
from pathlib import Path
sys.path.append(sys.argv[1])  # last: whatever is installed is what is tested
from tests.persistence.test_lease import race
race(Path(sys.argv[2]), int(sys.argv[3]))
"""

Open = Callable[..., LeaseStore]


@pytest.fixture(params=["sqlite", "listed"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    shelf: dict[str, Lease] = {}
    stores: list[LeaseStore] = []

    def make(account: str = ACCOUNT) -> LeaseStore:
        is_file = request.param == "sqlite"
        stores.append(
            SqliteLeases(tmp_path / f"{account}.db", account)
            if is_file
            else ListedLeases(shelf, account)
        )
        return stores[-1]

    yield make
    for store in stores:
        store.close()


# ---------------------------------------------------------------- the contract


def test_an_account_that_was_never_held_has_no_lease(opened: Open) -> None:
    assert opened().read() is None


def test_who_takes_it_is_seen_by_everybody(opened: Open) -> None:
    one, other = opened(), opened()

    assert one.take(lease(), None)
    assert other.read() == lease()


def test_two_that_saw_the_same_do_not_both_take_it(opened: Open) -> None:
    one, other = opened(), opened()
    assert one.take(lease(1), None)

    assert not other.take(lease(1, expires_ns=5), None)
    assert one.take(lease(2), lease(1))
    assert not other.take(lease(2, expires_ns=5), lease(1))
    assert other.read() == lease(2)


def test_what_was_renewed_after_it_was_judged_is_not_taken(opened: Open) -> None:
    one, other = opened(), opened()
    one.take(lease(), None)
    judged = other.read()
    one.renew(1, 2**62)  # to the very same moment

    assert not other.take(lease(2), judged)


def test_a_renewal_puts_off_the_end_and_is_counted(opened: Open) -> None:
    one, other = opened(), opened()
    one.take(lease(), None)

    assert one.renew(1, 5)
    assert one.renew(1, 6)
    assert other.read() == lease(renewals=2, expires_ns=6)


def test_who_has_lost_it_can_neither_renew_nor_return_it(opened: Open) -> None:
    one, other = opened(), opened()
    one.take(lease(1), None)
    other.take(lease(2), lease(1))

    assert not one.renew(1, 5)
    assert not one.give_back(1)
    assert other.read() == lease(2)


def test_what_was_given_back_is_not_renewed_and_can_be_taken(opened: Open) -> None:
    one, other = opened(), opened()
    one.take(lease(1), None)

    assert one.give_back(1)
    assert not one.renew(1, 5)
    found = other.read()
    assert found == lease(1, returned=True)
    assert other.take(lease(2), found)


def test_accounts_do_not_know_of_one_another(opened: Open) -> None:
    one, other = opened(), opened("okx-2")
    one.take(lease(), None)

    assert other.read() is None
    assert other.take(lease(7, account="okx-2"), None)
    assert one.renew(1, 5)
    assert other.read() == lease(7, account="okx-2")


# ---------------------------------------------------------------- the file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "account.db"


def test_it_is_for_its_owner_alone(path: Path) -> None:
    with SqliteLeases(path, ACCOUNT) as store:
        store.take(lease(), None)
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert modes == {0o600}


def test_what_is_no_database_is_one_clear_error_and_stays_as_it_is(path: Path) -> None:
    path.write_bytes(b"not a database, surely" * 100)

    with pytest.raises(LeaseUnavailable, match="is not a database; it is damaged: delete"):
        SqliteLeases(path, ACCOUNT)

    assert path.read_bytes().startswith(b"not a database")


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere.db")

    with pytest.raises(LeaseUnavailable):
        SqliteLeases(path, ACCOUNT)

    assert not (tmp_path / "elsewhere.db").exists()


def test_a_newer_version_of_it_is_refused(path: Path) -> None:
    SqliteLeases(path, ACCOUNT).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 9")

    with pytest.raises(LeaseUnavailable, match="newer version of watchkeeper"):
        SqliteLeases(path, ACCOUNT)


@pytest.mark.parametrize(
    "planted",
    [
        "token = 'one'", "token = 9223372036854775807", "token = 1e300", "host = x'ff00'",
        "pid = 'seven'", "pid = 9223372036854775807", "pid = -1", "run_dir = x'ff00'",
        "expires_ns = 'soon'", "term_ns = x'00'", "term_ns = 0",
    ],
)  # fmt: skip
def test_a_row_that_can_be_no_lease_is_damage_and_not_a_traceback(path: Path, planted: str) -> None:
    with SqliteLeases(path, ACCOUNT) as store:
        store.take(lease(), None)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(f"UPDATE leases SET {planted}")

        with pytest.raises(LeaseUnavailable, match="delete it when no process trades the account"):
            store.read()
        with pytest.raises(LeaseUnavailable):
            store.take(lease(2), lease())


def test_a_file_that_was_put_in_its_place_is_noticed(path: Path) -> None:
    """SQLite would go on writing into the one that nobody else sees any more."""
    with SqliteLeases(path, ACCOUNT) as store:
        store.take(lease(), None)
        for file in list(path.parent.iterdir()):
            file.unlink()
        with pytest.raises(LeaseUnavailable):
            store.renew(1, 5)
        with SqliteLeases(path, ACCOUNT) as other:
            other.take(lease(), None)
            with pytest.raises(LeaseUnavailable, match="was replaced while it was in use"):
                store.renew(1, 5)


def test_each_holder_sees_whether_it_is_its_file_that_others_find(path: Path) -> None:
    """Between two renewals too: a second bot may begin the moment that the file is gone."""
    with SqliteLeases(path, ACCOUNT) as store:
        store.take(lease(), None)
        store.renew(1, 5)
        assert store.is_in_place()
        path.unlink()
        assert not store.is_in_place()
        with SqliteLeases(path, ACCOUNT) as other:
            assert (store.is_in_place(), other.is_in_place()) == (False, True)
    assert (store.is_in_place(), other.is_in_place()) == (False, True)


def test_in_a_file_that_nobody_finds_any_more_nothing_is_taken(path: Path) -> None:
    with SqliteLeases(path, ACCOUNT) as store:
        path.unlink()
        with SqliteLeases(path, ACCOUNT) as other:
            with pytest.raises(LeaseUnavailable, match="was replaced while it was in use"):
                store.take(lease(), None)
            assert other.read() is None


def test_a_reader_in_the_middle_of_reading_holds_up_no_renewal(path: Path) -> None:
    with SqliteLeases(path, ACCOUNT) as store:
        store.take(lease(), None)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM leases").fetchone()
            assert store.renew(1, 5)


@pytest.mark.slow
def test_a_writer_in_the_middle_of_writing_is_told_of_and_then_passes(path: Path) -> None:
    with SqliteLeases(path, ACCOUNT) as store:
        store.take(lease(), None)
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            with pytest.raises(LeaseUnavailable, match="locked"):
                store.renew(1, 5)
            assert store.read() == lease()
            writer.execute("ROLLBACK")
        assert store.renew(1, 5)


def test_a_full_disk_is_an_error_and_the_lease_stands(path: Path) -> None:
    child = f"""
import resource, signal, sys
from pathlib import Path
from messages.errors import LeaseUnavailable
from persistence.lease import SqliteLeases
store = SqliteLeases(Path({str(path)!r}), {ACCOUNT!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    store.renew(1, 5)
except LeaseUnavailable as error:
    print(error)
"""
    with SqliteLeases(path, ACCOUNT) as store:
        store.take(lease(), None)
        done = subprocess.run(
            [sys.executable, "-c", child],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert "cannot be used" in done.stdout
        assert store.read() == lease()
        assert store.renew(1, 6)


def race(path: Path, number: int) -> None:
    """Wait for the start, then take the lease; who has it prints its number."""
    os.write(1, b"ready\n")
    sys.stdin.readline()
    for _ in range(20):
        try:
            with SqliteLeases(path, ACCOUNT) as store:
                if store.take(lease(1, expires_ns=number), None):
                    os.write(1, f"{number}\n".encode())
                return
        except LeaseUnavailable:  # all of them make the file at once: try again
            continue


@pytest.mark.slow
def test_of_many_processes_that_begin_at_once_one_takes_it(path: Path) -> None:
    tests = Path(__file__).parents[2]
    command = [sys.executable, "-c", RACER, str(tests), str(path)]
    racers = [
        subprocess.Popen(
            [*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(5)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"

    said = [racer.communicate("go\n", timeout=60)[0] for racer in racers]

    (winner,) = (int(one) for one in said if one)
    with SqliteLeases(path, ACCOUNT) as store:
        assert store.read() == lease(1, expires_ns=winner)


def test_threads_with_files_of_their_own_do_not_disturb_one_another(tmp_path: Path) -> None:
    problems: list[BaseException] = []

    def live(name: str) -> None:
        try:
            with SqliteLeases(tmp_path / f"{name}.db", name) as store:
                assert store.take(lease(1, account=name), None)
                for number in range(50):
                    assert store.renew(1, number)
                    found = store.read()
                    assert found is not None
                    assert (found.account, found.expires_ns) == (name, number)
        except BaseException as problem:  # noqa: BLE001 - the test looks at them
            problems.append(problem)

    threads = [threading.Thread(target=live, args=(f"a{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert problems == []


def test_who_opens_it_to_look_waits_for_nobody_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "lease.db"
    with SqliteLeases(path, ACCOUNT) as held:
        assert held.take(lease(1), None)

    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with SqliteLeases(path, ACCOUNT) as looking:
            assert looking.read() == lease(1)
