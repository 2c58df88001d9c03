"""What a process was started in: streams closed or of few letters, an odd zone, odd bytes."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from tests.cli.runs import ROOT


def test_a_health_says_all_of_it_before_its_process_is_gone(tmp_path: Path) -> None:
    """It leaves without Python's own end, which would write out what is still in a buffer."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["health", "--run-dir", str(tmp_path)]
    for more in ([], ["--json"], ["--nonsense"]):
        given = [sys.executable, "-P", "-m", "cli", *words, *more]
        done = subprocess.run(given, capture_output=True, text=True, env=environment)
        assert done.returncode == (2 if "--nonsense" in more else 3)
        assert (done.stderr if done.returncode == 2 else done.stdout).endswith("\n")
        if more == ["--json"]:
            json.loads(done.stdout)


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    script = f"{sys.executable} -P -m cli --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_letter_that_stdout_lacks_is_a_question_mark(
    tmp_path: Path, words: dict[str, str]
) -> None:
    ended = {"at_ns": 1, "reason": "halted: zu früh", "exit_code": 1}
    (tmp_path / "status.json").write_text(json.dumps({"pid": 812, "name": "x", "ended": ended}))
    health = [sys.executable, "-P", "-m", "cli", "health", str(tmp_path)]
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
    environment = {**usual, "PYTHONPATH": str(ROOT), **words}

    done = subprocess.run(health, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (3, "")
    assert "halted: zu fr?h (exit code 1)" in done.stdout


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_whose_stream_is_closed_runs_as_a_process(closed: str, tmp_path: Path) -> None:
    """The number was closed with the first stream, and the next file had it."""
    command = f"exec '{sys.executable}' -P -m cli check --json nowhere.toml {closed}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, check=False
    )

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_process_that_was_given_no_streams_does_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `>&- 2>&-` in a shell, or a service manager that closes all, starts one."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)

    code = cli.main(["health", "--run-dir", str(tmp_path)])

    for name in ("stdin", "stdout", "stderr"):
        getattr(sys, name).close()
    assert code == 3


def test_a_word_that_is_no_text_in_the_terminals_bytes_is_made_text() -> None:
    """A halt with such a reason killed the executor that was to write it down."""
    words = argparse.Namespace(reason="pr\udce9cis", umlaut="\udcc3\udc9cber", count=3, none=None)

    cli.make_readable(words)

    assert (words.reason, words.umlaut) == ("pr\ufffdcis", "Über")
    assert (words.count, words.none) == (3, None)


@pytest.mark.slow
def test_a_zone_that_no_time_can_be_told_in_is_left_for_utc(tmp_path: Path) -> None:
    """POSIX lets TZ be more than a day off, and no line of a log could be written."""
    words = ("start", "--run-dir", str(tmp_path / "run"), "--max-events", "50", "--json")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", *words],
        env={**os.environ, "TZ": "XXX-25:99"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
