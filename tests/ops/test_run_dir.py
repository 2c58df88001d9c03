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
from ops.run_end import how_it_ended

ROOT = Path(ops.__file__ or "").parent.parent
HOLDER = """
import sys
from ops.run_dir import RunDir
run = RunDir(sys.argv[1], claim=sys.argv[2]).open()
print("held", flush=True)
sys.stdin.read()
"""


def holder_of(path: Path, claim: str = "") -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), claim],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_name_that_is_no_text_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))

    with pytest.raises(ConfigError, match="is not UTF-8 text: name another one"):
        RunDir(path).open()

    assert list(tmp_path.iterdir()) == []


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


def test_a_number_of_another_alphabet_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_text("\u00b2\n")

    with RunDir(tmp_path) as run_dir:
        assert run_dir.taken_over_from is None


def test_a_pipe_in_the_place_of_the_lock_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.lock")

    with pytest.raises(ConfigError, match=r"run\.lock is no file, and can keep nobody out: remove"):
        RunDir(tmp_path).open()


def test_who_left_in_order_is_not_taken_over(tmp_path: Path) -> None:
    with RunDir(tmp_path):
        pass

    with RunDir(tmp_path) as run:
        assert run.taken_over_from is None


def test_one_process_cannot_hold_a_directory_twice(tmp_path: Path) -> None:
    with RunDir(tmp_path), pytest.raises(RunDirBusy, match=f"process {os.getpid()}"):
        RunDir(tmp_path).open()


@pytest.mark.slow
def test_the_directory_of_a_stopped_process_is_taken_by_who_has_its_lease(tmp_path: Path) -> None:
    with holder_of(tmp_path, "binance-1 4") as process:
        process.send_signal(signal.SIGSTOP)
        for wrong in ("", "binance-1 3", "binance-1"):
            with pytest.raises(RunDirBusy, match=f"process {process.pid}"):
                RunDir(tmp_path, claim="binance-1 5", former_claim=wrong).open()

        with RunDir(tmp_path, claim="binance-1 5", former_claim="binance-1 4") as run:
            assert run.taken_over_from == process.pid
            told = how_it_ended(run)
            assert told.startswith(f"process {process.pid} was overtaken as it stood still, ")
            assert "died" not in told, "nobody knows that"
            process.send_signal(signal.SIGCONT)
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
            with pytest.raises(RunDirBusy, match=f"process {os.getpid()}"):
                RunDir(tmp_path).open()
            with pytest.raises(RunDirBusy, match=f"process {os.getpid()}"):
                RunDir(tmp_path, former_claim="binance-1 4").open()

        with RunDir(tmp_path) as run:
            assert run.taken_over_from is None


def test_a_run_without_a_lease_has_nothing_to_be_taken_over_by(tmp_path: Path) -> None:
    """The paper venue's book lies in the directory: its lock is all there is, and enough."""
    with RunDir(tmp_path), pytest.raises(RunDirBusy):
        RunDir(tmp_path, claim="binance-1 5", former_claim="").open()


def test_who_was_overtaken_is_told_at_its_next_file_and_writes_it_not(tmp_path: Path) -> None:
    told: list[str] = []
    first = RunDir(tmp_path, claim="binance-1 4", on_taken=told.append).open()
    first.atomic_write("status.json", b"of the first")
    assert told == []
    second = RunDir(
        tmp_path, claim="binance-1 5", former_claim="binance-1 4", on_taken=told.append
    ).open()
    second.atomic_write("status.json", b"of the second")
    assert told == []

    with pytest.raises(RunDirBusy, match=f"was taken over by process {os.getpid()}; "):
        first.atomic_write("status.json", b"of the first")
    with pytest.raises(RunDirBusy):
        first.fence()

    assert len(told) == 2
    assert (tmp_path / "status.json").read_bytes() == b"of the second"
    assert {file.name for file in tmp_path.iterdir()} == {"run.lock", "status.json"}
    first.close()
    second.fence()
    second.close()


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


def test_what_a_killed_writer_had_not_put_into_its_place_is_taken_away(tmp_path: Path) -> None:
    torn = tmp_path / ".metrics_summary.json.7.7.tmp"
    torn.write_bytes(b'{"al')

    with RunDir(tmp_path):
        assert not torn.exists()
