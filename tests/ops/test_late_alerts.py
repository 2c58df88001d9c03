"""What is told when Metrics is over is a line of its file, once, in the order of telling."""

import json
import threading
from pathlib import Path

import pytest

from actors.metrics import LineWriter
from messages.alerts import AlertTold
from messages.ids import TimestampNs
from ops.bot_run import BotRun
from ops.late_alerts import LateAlerts
from ops.options import StartOptions
from ops.run_config import config_for
from ops.run_dir import RunDir
from ops.wiring_metrics import metric_writers
from tests.waiting import until


@pytest.fixture
def run(tmp_path: Path) -> BotRun:
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True)
    (tmp_path / "run").mkdir()
    return BotRun(options, config_for(options), RunDir(tmp_path / "run"))


def told(rule: str) -> AlertTold:
    return AlertTold(
        rule=rule,
        key=rule,
        state="firing",
        severity="critical",
        sentence="it is so",
        delivered=True,
        problem="",
        ts_ns=TimestampNs(1),
    )


def test_what_metrics_did_not_read_and_what_comes_later_are_lines(run: BotRun) -> None:
    late = LateAlerts(run.system, *metric_writers(run.config, run.run_dir))
    run.alerts.tell(told("halt"))

    assert late.begin()
    late.tell(told("gone"))
    late.write()

    lines = [json.loads(line) for line in run.run_dir.metrics.read_bytes().splitlines()]
    assert [(one["kind"], one["rule"]) for one in lines] == [("alert", "halt"), ("alert", "gone")]
    summary = json.loads(run.run_dir.metrics_summary.read_bytes())
    assert summary["metrics"] == {"dropped_lines": 0, "lines": 2, "problem": ""}
    assert not run.system.metrics.tell(told("stale"))


def test_an_alert_that_comes_while_the_teller_changes_is_a_line_too(run: BotRun) -> None:
    late = LateAlerts(run.system, *metric_writers(run.config, run.run_dir))
    run.alerts.tell(told("halt"))
    assert late.begin()
    run.alerts.tell(told("between"))
    run.alerts.tell = late.tell
    run.alerts.tell(told("gone"))
    late.write()

    lines = [json.loads(line) for line in run.run_dir.metrics.read_bytes().splitlines()]
    assert [one["rule"] for one in lines] == ["halt", "between", "gone"]


def test_metrics_that_still_run_go_on_by_themselves(run: BotRun) -> None:
    run.system.metrics.cell.next_life()

    assert not LateAlerts(run.system, None, None).begin()
    assert run.system.metrics.tell(told("halt"))


def test_metrics_that_were_given_up_wait_for_a_disk_for_which_nobody_else_waits(
    run: BotRun,
) -> None:
    """The end of a run would wait there for ever, with all that it has still to tell."""
    cell = run.system.metrics.cell
    opened: list[int] = []
    cell.next_life()
    run.system.runtime.fence(cell)
    open_lines, write_summary = metric_writers(run.config, run.run_dir)
    assert open_lines is not None
    late = LateAlerts(run.system, lambda: opened.append(1) or open_lines(), write_summary)  # type: ignore[func-returns-value]
    run.alerts.tell(told("halt"))

    assert not late.begin()
    late.write()
    assert opened == []


def test_a_disk_that_takes_nothing_is_not_waited_for(
    run: BotRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.late_alerts.WRITE_S", 0.01)
    gate, (open_lines, _) = threading.Event(), metric_writers(run.config, run.run_dir)

    def opens_late() -> LineWriter:
        gate.wait(60)
        assert open_lines is not None
        return open_lines()

    late = LateAlerts(run.system, opens_late, None)
    assert late.begin()
    late.tell(told("gone"))
    writer = threading.Thread(target=late.write)
    writer.start()
    writer.join(60)

    assert not writer.is_alive()
    assert "metrics.ndjson took nothing within" in run.system.fold.keeping.problem
    gate.set()
    until(lambda: not any(one.name == "late alerts" for one in threading.enumerate()))


def test_a_disk_that_refuses_is_a_problem_and_no_error(run: BotRun) -> None:
    run.run_dir.metrics.symlink_to("/dev/full")
    late = LateAlerts(run.system, *metric_writers(run.config, run.run_dir))
    late.begin()
    late.tell(told("gone"))
    late.write()

    assert run.system.fold.keeping.dropped_lines == 1
    assert "No space" in run.system.fold.keeping.problem
