import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import ops
from messages.errors import ConfigError, RunDirBusy
from ops.run_dir import RunDir, atomic_write, find_latest

ROOT = Path(ops.__file__ or "").parent.parent
HOLDER = """
import sys
from ops.run_dir import RunDir
run = RunDir(sys.argv[1]).open()
print("held", flush=True)
sys.stdin.read()
"""


def holder_of(path: Path) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with RunDir(tmp_path / "runs" / "x") as run:
        assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


@pytest.mark.slow
def test_a_living_holder_is_named_and_a_killed_one_is_taken_over(tmp_path: Path) -> None:
    with holder_of(tmp_path) as process:
        with pytest.raises(RunDirBusy, match=f"process {process.pid}"):
            RunDir(tmp_path).open()

        process.send_signal(signal.SIGKILL)
        process.wait()

        with RunDir(tmp_path) as run:
            assert run.taken_over_from == process.pid


def test_who_left_in_order_is_not_taken_over(tmp_path: Path) -> None:
    with RunDir(tmp_path):
        pass

    with RunDir(tmp_path) as run:
        assert run.taken_over_from is None


def test_one_process_cannot_hold_a_directory_twice(tmp_path: Path) -> None:
    with RunDir(tmp_path), pytest.raises(RunDirBusy, match=f"process {os.getpid()}"):
        RunDir(tmp_path).open()


def test_a_directory_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"run_dir: .*file.* cannot be used: "):
        RunDir(tmp_path / "file" / "x").open()


def test_a_replaced_file_is_whole_private_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "status.json"

    atomic_write(path, b"old")
    atomic_write(path, b"new")

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_latest_run_is_the_one_with_the_newest_sign_of_life(tmp_path: Path) -> None:
    for name, second in (("old", 1), ("new", 3), ("middle", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status.json").touch()
        os.utime(tmp_path / name / "status.json", (second, second))
    (tmp_path / "without").mkdir()

    assert find_latest(tmp_path) == tmp_path / "new"


def test_without_a_run_there_is_no_latest(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()

    assert find_latest(tmp_path) is None
    assert find_latest(tmp_path / "nowhere") is None
