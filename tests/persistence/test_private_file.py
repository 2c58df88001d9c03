"""Stores of one file in one process: opening a second one takes nothing from the first."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from persistence.fleet import FleetStore
from persistence.lease import SqliteLeases
from persistence.private_file import make_private
from tests.persistence.lease_model import ACCOUNT, lease

OPEN_AND_CLOSE = """
import sqlite3
from sys import argv
other = sqlite3.connect(argv[1])
other.execute("PRAGMA user_version").fetchone()
other.close()
"""


def leases(path: Path) -> AbstractContextManager[SqliteLeases]:
    store = SqliteLeases(path, ACCOUNT)
    store.take(lease(), store.read())
    return closing(store)


def fleet(path: Path) -> AbstractContextManager[FleetStore]:
    store = FleetStore(path)
    store.ask("down", "", 1)
    return closing(store)


@pytest.mark.parametrize("store", [leases, fleet])
def test_a_second_store_of_one_process_gives_up_no_lock_of_the_first(
    tmp_path: Path, store: Callable[[Path], AbstractContextManager[object]]
) -> None:
    """Another process would take itself for the last, and delete the log that is written to."""
    path, log = tmp_path / "one.db", tmp_path / "one.db-wal"
    with store(path), store(path):
        before = log.read_bytes()
        subprocess.run([sys.executable, "-c", OPEN_AND_CLOSE, path], check=True, timeout=60)

        assert before
        assert log.read_bytes() == before


def test_what_is_there_stays_as_it_is_and_a_link_is_refused(tmp_path: Path) -> None:
    there, link = tmp_path / "there", tmp_path / "link"
    there.write_text("mine")
    make_private(there)
    assert there.read_text() == "mine"

    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        make_private(link)
    assert not (tmp_path / "elsewhere").exists()
