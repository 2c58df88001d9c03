"""What the process does with a signal, and with a disk that takes no metrics."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from actors.metrics import MetricsActor
from actors.step_runtime import StepRuntime
from messages.ids import NS_PER_S
from ops.bot_run import BotRun
from ops.options import StartOptions
from ops.run_config import config_for
from ops.run_dir import RunDir
from ops.secret_values import cleaner
from persistence.lines import RotatingLines


@pytest.fixture
def run(tmp_path: Path) -> BotRun:
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True)
    return BotRun(options, config_for(options), RunDir(tmp_path / "run"))


def test_a_signal_waits_for_no_lock_that_its_own_thread_may_hold(run: BotRun) -> None:
    """The handler runs on the main thread, which is inside `over.wait` most of the time."""
    lock = run.over._cond  # type: ignore[attr-defined]  # what `wait` and `set` hold for a moment
    with lock:
        handler = threading.Thread(
            target=run.signals.note, args=(signal.SIGTERM, None), daemon=True
        )
        handler.start()
        handler.join(60)
        assert not handler.is_alive()


def test_a_signal_ends_the_wait(run: BotRun) -> None:
    run.signals.note(signal.SIGTERM, None)

    run._watch(lambda _: None)
    run.ending.code = 0

    assert run.ending.reason() == "stopped by SIGTERM"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 1), (signal.SIGINT, 130)])
def test_what_was_left_undone_is_told_whoever_stopped_it(
    run: BotRun, number: signal.Signals, code: int
) -> None:
    run.signals.note(number, None)
    run.system.board.unfinished = "the ledger is away: 3 decisions are not written"

    run.ending.code = run._stop()

    said = f"stopped by {number.name}; halted: the ledger is away: 3 decisions are not written"
    assert (run.ending.code, run.ending.reason()) == (code, said)


def test_a_second_signal_leaves_at_once(run: BotRun, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)

    run.signals.note(signal.SIGTERM, None)
    run.signals.note(signal.SIGTERM, None)

    assert left == [128 + signal.SIGTERM]


def test_a_terminal_that_goes_sends_two_signals_and_ends_the_run_in_order(
    run: BotRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is the kernel's, one is the shell's."""
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)

    run.signals.note(signal.SIGHUP, None)
    run.signals.note(signal.SIGHUP, None)
    run.ending.code = 0

    assert (left, run.ending.reason()) == ([], "stopped by SIGHUP")


@pytest.mark.parametrize(
    "order", [(signal.SIGTERM, signal.SIGHUP), (signal.SIGHUP, signal.SIGTERM)]
)
def test_the_end_of_a_session_sends_two_signals_and_ends_the_run_in_order(
    run: BotRun, monkeypatch: pytest.MonkeyPatch, order: tuple[signal.Signals, ...]
) -> None:
    """systemd sends SIGTERM, then SIGHUP; Python shows the lower number first."""
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)

    for number in order:
        run.signals.note(number, None)
    run.ending.code = 0

    assert (left, run.ending.reason()) == ([], "stopped by SIGTERM")
    run.signals.note(signal.SIGTERM, None)
    assert left == [128 + signal.SIGTERM]


def test_metrics_on_a_full_disk_are_an_alert(run: BotRun, tmp_path: Path) -> None:
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


def started_json(run_dir: Path, *before: str) -> "subprocess.Popen[str]":
    words = ["start", "--run-dir", str(run_dir), "--duration", "3", "--no-chaos", "--json"]
    return subprocess.Popen(
        [*before, sys.executable, "-P", "-m", "cli", *words], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_who_reads_the_lines_may_go_and_the_run_goes_on_to_its_end(tmp_path: Path) -> None:
    process = started_json(tmp_path)
    assert process.stdout is not None
    assert "start" in process.stdout.readline()
    process.stdout.close()

    assert process.wait(90) == 0
    ended = json.loads((tmp_path / "status.json").read_text())["ended"]
    assert (ended["reason"], ended["exit_code"]) == ("the time was over", 0)
    assert "nothing more is told on stdout" in (tmp_path / "watchkeeper.log").read_text()


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_a_run_in_order(tmp_path: Path) -> None:
    process = started_json(tmp_path)
    assert process.stdout is not None
    assert "start" in process.stdout.readline()

    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=90)

    assert process.returncode == 0
    ended = json.loads((tmp_path / "status.json").read_text())["ended"]
    assert (ended["reason"], ended["exit_code"]) == ("stopped by SIGHUP", 0)


@pytest.mark.slow
def test_each_end_is_made_whatever_another_raises(
    run: BotRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in waiting and one in telling: the last word of status.json is written."""

    def broken(*_: object) -> None:
        raise RuntimeError("planted key-of-mine")

    run.system.runtime.clean = cleaner(["key-of-mine"])
    monkeypatch.setattr(run, "_watch", broken)
    monkeypatch.setattr(run.signals, "listen", lambda: None)
    monkeypatch.setattr(run, "_tell_of_the_end", broken)
    with run.run_dir, pytest.raises(RuntimeError, match="planted"):
        run.run()

    assert run.ending.root_exit is not None, "the actors were left running"
    ended = json.loads((run.run_dir.path / "status.json").read_text())["ended"]
    assert ended["reason"] == "a mistake of watchkeeper's own: RuntimeError: planted ***"


@pytest.mark.slow
def test_nohup_keeps_a_run_that_a_terminal_has_left(tmp_path: Path) -> None:
    process = started_json(tmp_path, "nohup")
    assert process.stdout is not None
    assert "start" in process.stdout.readline()

    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=90)

    ended = json.loads((tmp_path / "status.json").read_text())["ended"]
    assert (ended["reason"], process.returncode) == ("the time was over", 0)
