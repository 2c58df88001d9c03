"""What the process does with a signal, and with a disk that takes no metrics."""

import os
import signal
import threading
from pathlib import Path

import pytest

from actors.metrics import MetricsActor
from actors.step_runtime import StepRuntime
from messages.ids import NS_PER_S
from ops.options import StartOptions
from ops.process import _Run
from ops.run_config import config_for
from ops.run_dir import RunDir
from persistence.lines import RotatingLines


@pytest.fixture
def run(tmp_path: Path) -> _Run:
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True)
    return _Run(options, config_for(options), RunDir(tmp_path / "run"))


def test_a_signal_waits_for_no_lock_that_its_own_thread_may_hold(run: _Run) -> None:
    """The handler runs on the main thread, which is inside `over.wait` most of the time."""
    lock = run.over._cond  # type: ignore[attr-defined]  # what `wait` and `set` hold for a moment
    with lock:
        handler = threading.Thread(target=run._on_signal, args=(signal.SIGTERM, None), daemon=True)
        handler.start()
        handler.join(10)
        assert not handler.is_alive()


def test_a_signal_ends_the_wait(run: _Run) -> None:
    run._on_signal(signal.SIGTERM, None)

    run._watch(lambda _: None)

    assert run._reason(0) == "stopped by SIGTERM"


def test_a_second_signal_leaves_at_once(run: _Run, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)

    run._on_signal(signal.SIGTERM, None)
    run._on_signal(signal.SIGTERM, None)

    assert left == [128 + signal.SIGTERM]


def test_metrics_on_a_full_disk_are_an_alert(run: _Run, tmp_path: Path) -> None:
    path = tmp_path / "metrics.ndjson"
    path.symlink_to("/dev/full")
    runtime, fold = StepRuntime(), run.system.fold
    arguments = {
        "fold": fold,
        "open_lines": lambda: RotatingLines(path, 10**9, 1),
        "write_summary": None,
        "describe": dict,
    }
    metrics = runtime.populate("metrics", MetricsActor, arguments)
    runtime.start(metrics)
    runtime.run_for(6 * NS_PER_S)

    run.alerts.look(run.snapshots.take())

    sentences = {one["key"]: one["sentence"] for one in run.alerts.summary()["firing"]}
    assert sentences["disk:metrics"].startswith("metrics are not written: ")
    assert run.snapshots.take()["metrics"]["dropped_lines"] == 1
