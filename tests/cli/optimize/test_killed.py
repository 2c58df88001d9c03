"""A search that is killed or interrupted goes on with the same command, and loses no trial."""

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from research.optimise.columns import ColumnFile
from tests.cli.optimize.searching import FEW, LONG, optimize, start

pytestmark = pytest.mark.slow
if find_spec("optuna") is None:
    pytest.skip("the extra `optimize` is not installed", allow_module_level=True)


def rows(file: Path) -> dict[tuple[str, int], tuple[str, str | None, Any]]:
    """Give every trial by study and number: its state, when it ended, its values."""
    if not file.exists():
        return {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        try:
            found = database.execute(
                "select s.study_name, t.number, t.state, t.datetime_complete, t.trial_id"
                " from trials t join studies s using (study_id)"
            ).fetchall()
            params = database.execute(
                "select trial_id, param_name, param_value from trial_params"
            ).fetchall()
        except sqlite3.OperationalError:
            return {}
    by_trial: dict[int, list[Any]] = {}
    for key, *value in params:
        by_trial.setdefault(key, []).append(tuple(value))
    return {
        (name, number): (state, ended, tuple(sorted(by_trial.get(key, []))))
        for name, number, state, ended, key in found
    }


def over(file: Path) -> int:
    return sum(state != "RUNNING" for state, _, _ in rows(file).values())


def wait_until(true: Any, process: "subprocess.Popen[str]", limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it did not come about"
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue


def test_killed_in_the_middle_and_gone_on_with_no_trial_is_lost_or_run_twice(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = market / "studies" / "searched.db"
    each = 100 if os.environ.get("WATCHKEEPER_STRESS") else 15
    asked = ("--trials", str(each), "--jobs", "2", *FEW)
    process = start(market, *asked)
    wait_until(lambda: over(file) >= 5, process)
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    gone, alive = psutil.wait_procs(workers, timeout=10)
    before = rows(file)

    code, report, said = optimize(capsys, *asked)

    after = rows(file)
    assert code == 0
    assert alive == []
    assert len(gone) == 2
    assert 5 <= over_of(before) < 3 * each
    assert "it goes on" in said
    for key, (state, ended, params) in before.items():
        now_state, now_ended, now_params = after[key]
        assert now_params == params, "a trial was changed"
        assert now_state != "RUNNING", "a trial was lost"
        if state != "RUNNING":
            assert (now_state, now_ended) == (state, ended), "a trial was run twice"
    assert report["is_complete"]
    assert report["trials"] == 3 * each
    for number, window in enumerate(report["windows"], 1):
        counts = window["trials"]
        assert sum(counts[how] for how in ("done", "given_up", "unjudged", "failed")) == each
        mine = [
            params for (name, _), (_, _, params) in after.items() if name.endswith(f"/{number}")
        ]
        assert len(mine) == len(set(mine)) == each, "a set was tried twice"


def over_of(found: dict[Any, Any]) -> int:
    return sum(state != "RUNNING" for state, _, _ in found.values())


@pytest.mark.parametrize("blow", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=LONG)], ids=str)
def test_interrupted_it_tells_what_was_found_and_how_to_go_on(
    market: Path, blow: signal.Signals
) -> None:
    file = market / "studies" / "searched.db"
    process = start(market, "--trials", "500", *FEW)
    wait_until(lambda: over(file) >= 7, process)
    workers = psutil.Process(process.pid).children()

    process.send_signal(blow)
    told, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "optimize of searched" in told
    assert "chosen   fast = " in told
    assert "of 1,500 trials are kept in studies/searched.db; the same command goes on" in said
    assert "Traceback" not in said
    assert psutil.wait_procs(workers, timeout=10)[1] == []


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.usefixtures("market")
def test_interrupted_while_it_reads_it_says_that_no_trial_was_added(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, blow: signal.Signals
) -> None:
    def struck(*_: object) -> None:
        signal.raise_signal(blow)

    monkeypatch.setattr(ColumnFile, "add", struck)

    code, report, said = optimize(capsys, "--trials", "5", *FEW)

    assert (code, report) == (130, None)
    assert said.endswith(
        "interrupted before the first trial: none was added; the same command begins again\n"
    )
