"""Metrics on a disk that refuses: counted, shown, and nobody is the worse for it."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.metrics import MetricsActor
from decisions.metrics import MetricsFold
from messages.ids import NS_PER_S, ActorPath
from messages.lifecycle import ActorState
from messages.market import FeedEnded
from persistence.lines import RotatingLines
from tests.actors.hand_runtime import Driven
from tests.decisions.test_dropped_rows import report

ENDED = FeedEnded(feed=ActorPath("feeds/x"), delivered=3)


class Disk:
    """Takes summaries while there is room."""

    is_full = False

    def __init__(self) -> None:
        self.summaries: list[dict[str, Any]] = []

    def write(self, text: bytes) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.summaries.append(json.loads(text))


def test_what_the_process_alone_knows_is_asked_for_once_an_interval(
    tmp_path: Path, driven: Callable[..., Driven]
) -> None:
    """It opens the ledger and counts there; the line and the file say the same."""
    path, disk, asked = tmp_path / "metrics.ndjson", Disk(), list[int]()
    runtime = driven()

    def describe() -> dict[str, Any]:
        asked.append(runtime.clock.now_ns)
        return {"asked": len(asked)}

    arguments = {
        "fold": MetricsFold(),
        "open_lines": lambda: RotatingLines(path, 10**9, 1),
        "write_summary": disk.write,
        "describe": describe,
    }
    runtime.start(runtime.populate("metrics", MetricsActor, arguments))
    runtime.run_for(16 * NS_PER_S)

    assert asked == [5 * NS_PER_S, 10 * NS_PER_S, 15 * NS_PER_S]
    assert [one["asked"] for one in disk.summaries] == [1, 2, 3]
    assert [json.loads(line)["asked"] for line in path.read_bytes().splitlines()] == [1, 2, 3]
    assert [one["metrics"]["lines"] for one in disk.summaries] == [1, 2, 3]
    runtime.stop(runtime.cells[ActorPath("metrics")], NS_PER_S)


def test_a_text_that_no_file_holds_is_told_as_far_as_it_can_be(
    tmp_path: Path, driven: Callable[..., Driven]
) -> None:
    """Nobody is to write one; one that got through ended metrics, and two of them the run."""
    path, disk, runtime = tmp_path / "metrics.ndjson", Disk(), driven()
    arguments = {
        "fold": MetricsFold(),
        "open_lines": lambda: RotatingLines(path, 10**9, 1),
        "write_summary": disk.write,
        "describe": dict,
    }
    metrics = runtime.populate("metrics", MetricsActor, arguments)
    runtime.start(metrics)
    metrics.mailbox.put(FeedEnded(feed=ActorPath("feeds/\udcff"), delivered=3))
    metrics.mailbox.put(report(malformed=1, problems=("\udcff.csv:3: bad",)))
    runtime.run_for(6 * NS_PER_S)

    assert metrics.epoch == 1
    ended, told, _ = map(json.loads, path.read_text("utf-8").splitlines())
    assert ended["message"]["feed"] == "feeds/?"
    assert told["message"]["first_problems"] == ["?.csv:3: bad"]
    assert disk.summaries[-1]["feeds"]
    runtime.stop(metrics, NS_PER_S)


def test_a_full_disk_stops_metrics_and_nothing_else(
    tmp_path: Path, driven: Callable[..., Driven]
) -> None:
    path, disk, fold = tmp_path / "metrics.ndjson", Disk(), MetricsFold()
    path.symlink_to("/dev/full")
    disk.is_full = True
    runtime = driven()
    arguments = {
        "fold": fold,
        "open_lines": lambda: RotatingLines(path, 10**9, 1),
        "write_summary": disk.write,
        "describe": dict,
    }
    metrics = runtime.populate("metrics", MetricsActor, arguments)
    runtime.start(metrics)
    metrics.mailbox.put(ENDED)
    runtime.run_for(6 * NS_PER_S)

    assert metrics.state is ActorState.RUNNING
    assert fold.processed == 3
    assert fold.keeping.dropped_lines == 2
    assert fold.keeping.problem
    assert "metrics are not kept" in metrics.problem
    assert not disk.summaries

    path.unlink()
    disk.is_full = False
    metrics.mailbox.put(ENDED)
    runtime.run_for(5 * NS_PER_S)

    assert not fold.keeping.problem
    assert not metrics.problem
    told = disk.summaries[-1]["metrics"]
    assert (told["lines"], told["dropped_lines"]) == (2, 2)
    assert len(path.read_bytes().splitlines()) == 2
    runtime.stop(metrics, NS_PER_S)
    assert metrics.epoch == 1


def test_lines_that_the_disk_refuses_at_the_very_end_are_a_problem_of_the_last_summary(
    tmp_path: Path, driven: Callable[..., Driven]
) -> None:
    path, disk = tmp_path / "metrics.ndjson", Disk()
    path.symlink_to("/dev/full")
    runtime = driven()
    arguments = {
        "fold": MetricsFold(),
        "open_lines": lambda: RotatingLines(path, 10**9, 1),
        "write_summary": disk.write,
        "describe": dict,
    }
    metrics = runtime.populate("metrics", MetricsActor, arguments)
    runtime.start(metrics)
    metrics.mailbox.put(ENDED)
    runtime.run_until_idle()
    runtime.stop(metrics, NS_PER_S)

    told = disk.summaries[-1]["metrics"]
    assert (told["lines"], told["dropped_lines"]) == (0, 1)
    assert "No space left on device" in told["problem"]
    assert "metrics are not kept" in metrics.problem
