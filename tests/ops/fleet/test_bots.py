"""Whose process a lock names: only a living one that has that very file open."""

import os
import shutil
from pathlib import Path

from ops.fleet.bots import holder
from ops.run_dir import RunDir


def test_a_lock_names_the_process_that_holds_it_for_as_long_as_it_does(tmp_path: Path) -> None:
    with RunDir(tmp_path / "run") as run:
        found = holder(run.lock)
        assert found is not None
        assert found.pid == os.getpid()
    assert holder(run.lock) is None


def test_a_copy_of_a_run_directory_names_nobody(tmp_path: Path) -> None:
    """Its lock bears the pid of a living process, of another directory."""
    with RunDir(tmp_path / "run") as run:
        shutil.copytree(run.path, tmp_path / "copy")
        assert holder(tmp_path / "copy" / run.lock.name) is None


def test_a_pid_that_another_process_has_by_now_names_nobody_whatever_the_clock_says(
    tmp_path: Path,
) -> None:
    """The lock is of before a reboot; the clock was set back since, so it looks the younger."""
    lock = tmp_path / "run.lock"
    lock.write_text(f"{os.getpid()}\n")
    os.utime(lock, (4_000_000_000, 4_000_000_000))
    assert holder(lock) is None
