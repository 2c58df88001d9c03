import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.publishing import TextFile
from ops.run_dir import RunDir
from ops.status import StatusWriter


def read(path: Path) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(path.read_bytes())
    return status


def test_the_first_status_is_there_before_start_returns(tmp_path: Path) -> None:
    path = tmp_path / "status.json"

    writer = StatusWriter(path, lambda: {"a": 1}, interval_s=60).start()
    first = read(path)
    writer.close("over", 0)

    assert first == {"a": 1, "ended": None}


def test_the_last_status_says_why_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "status.json"

    StatusWriter(path, lambda: {"a": 1}, now_ns=lambda: 5).close("the market ended", 0)

    ended = {"at_ns": 5, "reason": "the market ended", "exit_code": 0}
    assert read(path) == {"a": 1, "ended": ended}


def test_it_is_written_again_and_again(tmp_path: Path) -> None:
    third, taken = threading.Event(), []

    def snapshot() -> dict[str, Any]:
        taken.append(1)
        if len(taken) == 3:
            third.set()
        return {}

    writer = StatusWriter(tmp_path / "status.json", snapshot, interval_s=0.001).start()

    assert third.wait(10)
    writer.close("over", 0)


def test_a_failing_snapshot_keeps_the_last_one_and_the_end_is_still_told(tmp_path: Path) -> None:
    path, answers = tmp_path / "status.json", [{"a": 1}]
    writer = StatusWriter(path, lambda: answers.pop(), now_ns=lambda: 5)

    writer.write()
    writer.close("crashed", 70)

    assert read(path)["a"] == 1
    assert read(path)["ended"]["exit_code"] == 70
    assert writer.problem == "IndexError: pop from empty list"


def test_so_does_one_that_is_no_json(tmp_path: Path) -> None:
    """It had ended the thread that writes, without a word."""
    path = tmp_path / "status.json"
    answers: list[dict[str, Any]] = [{"a": {1: 1, "b": 2}}, {"a": 1}]
    writer = StatusWriter(path, lambda: answers.pop(), now_ns=lambda: 5)
    writer.write()

    writer.write()

    assert writer.problem.startswith("TypeError: ")
    assert read(path) == {"a": 1, "ended": None}


def test_a_disk_that_refuses_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "nowhere" / "status.json", dict)

    writer.write()

    assert "No such file" in writer.problem


def test_what_may_not_be_written_any_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text("the successor's")

    def over() -> None:
        raise OSError("another has it")

    StatusWriter(path, dict, fence=over).write()

    assert path.read_text() == "the successor's"


# ------------------------------------------------------------------ the last word


def a_full_disk(patch: pytest.MonkeyPatch) -> None:
    """No new file gets room; what is there already has it."""
    opened = os.open

    def refusing(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT and not Path(path).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, flags, mode)

    patch.setattr("ops.run_dir.os.open", refusing)


def test_on_a_full_disk_there_is_still_room_for_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "status.json"
    page = {"a": "x" * 50_000}
    writer = StatusWriter(path, lambda: page, now_ns=lambda: 5)
    writer.write()
    a_full_disk(monkeypatch)
    page["a"] += "y" * 10_000

    writer.write()
    assert writer.problem == "No space left on device"
    assert read(path)["ended"] is None
    writer.close("stopped by SIGTERM", 130)

    ended = {"at_ns": 5, "reason": "stopped by SIGTERM", "exit_code": 130}
    assert read(path) == {**page, "ended": ended}
    assert writer.problem == ""
    assert [one.name for one in tmp_path.iterdir()] == ["status.json"]


def test_where_there_was_never_room_the_end_is_said_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_full_disk(monkeypatch)
    writer = StatusWriter(tmp_path / "status.json", dict)

    writer.write()
    writer.close("the market ended", 0)

    said = capsys.readouterr().err
    assert "status.json is not whole: No space left on device" in said
    assert "this process ended: the market ended (0)" in said


def test_what_room_a_kill_leaves_taken_the_next_start_gives_back(tmp_path: Path) -> None:
    with RunDir(tmp_path / "run") as run_dir:
        StatusWriter(run_dir.status, dict).write()
        assert len(list(run_dir.path.glob(".status.json.*"))) == 1
    with RunDir(tmp_path / "run") as run_dir:
        assert list(run_dir.path.glob(".status.json.*")) == []


def test_an_orderly_end_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "status.json", dict, interval_s=60).start()
    writer.close("over", 0)

    assert [one.name for one in tmp_path.iterdir()] == ["status.json"]


def test_a_disk_that_hangs_is_not_waited_for_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hangs, may_go = threading.Event(), threading.Event()
    writer = StatusWriter(tmp_path / "status.json", dict, interval_s=0.001)
    with a_hanging_disk(monkeypatch, "ops.status.CLOSE_S", hangs, may_go):
        writer.start()
        hangs.set()
        writer.close("stop was asked for", 0)
        said = capsys.readouterr().err
        monkeypatch.setattr("ops.status.CLOSE_S", 10.0)
        may_go.set()
        writer.close("stop was asked for", 0)

    assert "took nothing within 0 s of the end" in said
    assert "this process ended: stop was asked for (0)" in said
    assert read(tmp_path / "status.json")["ended"]["exit_code"] == 0


def test_nor_is_it_for_the_file_of_prometheus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hangs, may_go = threading.Event(), threading.Event()
    figures = iter(range(100_000))
    file = TextFile(tmp_path / "x.prom", lambda: f"{next(figures)}\n", 0.001)
    with a_hanging_disk(monkeypatch, "ops.publishing.CLOSE_S", hangs, may_go):
        file.start()
        hangs.set()
        file.close()
        assert "the last figures are not written: it took nothing" in capsys.readouterr().err
        monkeypatch.setattr("ops.publishing.CLOSE_S", 10.0)
        may_go.set()
        file.close()

    assert int((tmp_path / "x.prom").read_text()) == next(figures) - 1


@contextmanager
def a_hanging_disk(
    patch: pytest.MonkeyPatch, limit: str, hangs: threading.Event, may_go: threading.Event
) -> Iterator[None]:
    """Let each flush wait from one moment to another; an end has hardly any patience."""
    fsync = os.fsync

    def hanging(fd: int) -> None:
        if hangs.is_set():
            assert may_go.wait(30)
        fsync(fd)

    patch.setattr("ops.run_dir.os.fsync", hanging)
    patch.setattr(limit, 0.1)
    yield
