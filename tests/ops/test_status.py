import json
import threading
from pathlib import Path
from typing import Any

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
