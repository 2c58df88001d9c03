"""The `drill` command as it is typed: its words, its exit codes, its output for machines."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

import cli
from tests.cli.runs import ROOT
from tests.waiting import until


def test_a_wrong_case_is_one_sentence_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drill", "--case", "in_fence/none/sneeze"]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("watchkeeper: --case: 'sneeze' is none of: none, kill, ")


@pytest.mark.parametrize("other", ["--quick", "--full"])
def test_one_choice_of_cases_excludes_another(
    other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["drill", other, "--case", "in_fence/none/kill"]) == 2

    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.slow
def test_its_results_are_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    case = "intent_told/reset_after/none"

    assert cli.main(["drill", "--json", "--seed", "13", "--case", case]) == 0

    result, end = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (result["event"], result["case"], result["passed"]) == ("case", case, True)
    assert (result["at_exchange"], result["expected"], result["placements"]) == (1, "1", 1)
    assert (end["event"], end["cases"], end["failed"]) == ("end", 1, 0)


@pytest.mark.slow
def test_a_drill_that_is_killed_leaves_no_process_standing_still(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "drill", "--case", "past_fence/none/freeze"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        start_new_session=True,  # or the kernel itself might let the frozen one go on
    )
    drill = psutil.Process(run.pid)
    frozen = until(
        lambda: [
            one for one in drill.children(recursive=True) if status_of(one) == psutil.STATUS_STOPPED
        ]
    )

    run.kill()
    run.wait(timeout=60)

    over = {psutil.STATUS_DEAD, psutil.STATUS_ZOMBIE}  # nobody may be there to bury it
    until(lambda: {status_of(one) for one in frozen} <= over)


def status_of(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return process.status()
    return psutil.STATUS_DEAD


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drill_that_is_asked_to_end_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    run = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "drill", "--case", "on_the_loop/hang_before/kill"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        text=True,
    )
    until(lambda: list(tmp_path.glob("drill-on_the_loop*")))

    run.send_signal(number)

    said, _ = run.communicate(timeout=60)
    assert (run.returncode, "Traceback" in said) == (130, False), said
    assert list(tmp_path.glob("drill-*")) == []
