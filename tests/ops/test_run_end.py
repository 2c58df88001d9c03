"""What a start says of the process before it: only one that told no end died without a word."""

import json
import os
from pathlib import Path

import pytest

from ops.run_dir import RunDir
from ops.run_end import how_it_ended

TAKEN_NS = 1_700_000_000 * 10**9


def found_by_the_next_start(folder: Path, status: object) -> str:
    """Say what a start finds where a process was killed that took the directory at a moment."""
    folder.mkdir()
    (folder / "status.json").write_text(json.dumps(status))
    (folder / "run.lock").write_text("7\n\n")
    os.utime(folder / "run.lock", ns=(TAKEN_NS, TAKEN_NS))
    with RunDir(folder) as run_dir:
        return how_it_ended(run_dir)


@pytest.mark.parametrize("status", [{}, {"ended": None}, {"ended": {"reason": "x"}}, [], "x"])
def test_a_process_that_told_no_end_died_without_a_word(tmp_path: Path, status: object) -> None:
    assert "process 7 died without a word" in found_by_the_next_start(tmp_path / "r", status)


def test_one_that_was_killed_after_its_last_word_is_no_alarm(tmp_path: Path) -> None:
    """A second Ctrl-C, or systemd's patience: all is written, and only the lock was left."""
    status = {"ended": {"at_ns": TAKEN_NS + 5, "reason": "stopped by SIGTERM", "exit_code": 0}}

    assert found_by_the_next_start(tmp_path / "r", status) == ""


def test_the_last_word_of_the_one_before_is_not_its_own(tmp_path: Path) -> None:
    """It was killed before it wrote anything; in a container it may have had the same number."""
    status = {"pid": 7, "ended": {"at_ns": TAKEN_NS - 5, "reason": "x", "exit_code": 0}}

    assert "died without a word" in found_by_the_next_start(tmp_path / "r", status)


def test_an_orderly_end_leaves_nothing_to_say(tmp_path: Path) -> None:
    with RunDir(tmp_path / "r"):
        pass
    with RunDir(tmp_path / "r") as run_dir:
        assert how_it_ended(run_dir) == ""
