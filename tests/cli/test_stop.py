"""`stop` waits for the very process that it has asked, however that one counts itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cli
from ops.run_dir import RunDir
from tests.cli.runs import ROOT, command

pytestmark = pytest.mark.slow

SERVER = """
import os, sys, threading
from pathlib import Path
from ops.control import ControlServer
import cli
from ops.run_dir import RunDir
over, lags_s = threading.Event(), float(sys.argv[2])
def stop(_):
    over.set()
    return {}
handlers = {"stop": stop}
if len(sys.argv) > 3:
    handlers["ping"] = lambda _: {"pid": int(sys.argv[3])}
with RunDir(Path(sys.argv[1])):
    with ControlServer(Path(sys.argv[1]) / "control.sock", handlers):
        print("up", flush=True)
        over.wait()
    print("silent", flush=True)
    threading.Event().wait(lags_s)
"""
"""Takes a while after its socket is gone, and may say that it is another process."""


@contextmanager
def serving(
    run_dir: Path,
    *told: int,
    lags_s: float = 0.0,
    behind: tuple[str, ...] = (),
    server: str = SERVER,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Have a process answer in a run directory."""
    given = [*behind, sys.executable, "-c", server, str(run_dir), str(lags_s), *map(str, told)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(given, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process


def a_dead_process() -> int:
    """Give a number that no process has any more."""
    with subprocess.Popen(["true"]) as process:
        return process.pid


def test_it_waits_until_the_process_is_gone(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        done = command("stop", "--run-dir", str(tmp_path))

        assert (done.returncode, done.stdout) == (0, f"stopped process {process.pid}\n")
        assert process.wait(10) == 0
    assert command("stop", "--run-dir", str(tmp_path)).returncode == 3


def test_one_that_does_not_go_is_reported(tmp_path: Path) -> None:
    stubborn = SERVER.replace("over.set()", "pass")
    with serving(tmp_path, server=stubborn) as process:
        done = command("stop", "--run-dir", str(tmp_path), "--timeout", "0.1")

        process.send_signal(signal.SIGKILL)
    assert done.returncode == 1
    assert "is not gone after 0.1 s" in done.stderr


def test_one_that_lives_on_under_the_number_that_was_told_is_not_waited_for(
    tmp_path: Path,
) -> None:
    """In another namespace the number is somebody else's here: this test's own."""
    with serving(tmp_path, os.getpid()):
        done = command("stop", "--run-dir", str(tmp_path), "--timeout", "8")

    assert (done.returncode, done.stdout) == (0, f"stopped the process of {tmp_path}\n")


@pytest.mark.parametrize("told", ["dead", "another"])
def test_it_is_gone_once_it_has_given_the_run_directory_back(tmp_path: Path, told: str) -> None:
    number = a_dead_process() if told == "dead" else os.getpid()
    with serving(tmp_path, number, lags_s=1.5):
        done = command("stop", "--run-dir", str(tmp_path), "--timeout", "8")

        assert done.returncode == 0
        with RunDir(tmp_path):  # which is refused where somebody has it
            pass


def test_one_that_keeps_the_run_directory_is_still_there(tmp_path: Path) -> None:
    with serving(tmp_path, os.getpid(), lags_s=60) as process:
        done = command("stop", "--run-dir", str(tmp_path), "--timeout", "1")

        process.kill()
    assert done.returncode == 1
    assert f"the process of {tmp_path} was asked to stop and is not gone after 1 s" in done.stderr


def test_one_that_is_killed_on_its_way_gives_the_directory_back_too(tmp_path: Path) -> None:
    with serving(tmp_path, os.getpid(), lags_s=60) as process:
        words = [sys.executable, "-P", "-m", "cli", "stop", "--run-dir", str(tmp_path)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE) as stopping:
            assert process.stdout is not None
            assert process.stdout.readline() == b"silent\n"
            process.kill()

            assert stopping.wait(10) == 0


def test_one_in_a_process_namespace_of_its_own_is_waited_for(tmp_path: Path) -> None:
    behind = ("unshare", "--pid", "--fork")
    try:
        subprocess.run([*behind, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine makes no namespace for us")

    with serving(tmp_path, lags_s=0.5, behind=behind) as process:
        done = command("stop", "--run-dir", str(tmp_path), "--timeout", "8")

        assert (done.returncode, done.stdout) == (0, f"stopped the process of {tmp_path}\n")
        assert process.wait(5) == 0


def test_one_that_does_not_answer_is_not_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands still, or is very busy: who is told that nothing is there starts another."""
    words = ["stop", "--run-dir", str(tmp_path), "--timeout", "0.5"]
    with serving(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        code = cli.main(words)
        process.kill()
    assert code == 1
    told = capsys.readouterr().err
    assert "does not answer (no answer within 0.5 s): it is not known to stop" in told
    assert cli.main(words) == 3
    assert "nothing to stop" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "unknown", "then"),
    [
        ("halt --timeout 0.5", "nothing is known to be halted", "kill it, then halt again"),
        ("resume --timeout 0.5", "nothing is known to be resumed", "kill it, then resume again"),
        ("account --accept why", "nothing is known to be accepted", "then accept again"),
    ],
)
def test_one_that_is_there_and_silent_is_never_told_as_none(
    tmp_path: Path, asked: str, unknown: str, then: str
) -> None:
    with serving(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        done = command(*asked.split(), "--run-dir", str(tmp_path))

        process.kill()
    assert done.returncode == 3
    assert f"the process of {tmp_path} does not answer (no answer within " in done.stderr
    assert f"s): {unknown}; " in done.stderr
    assert then in done.stderr
    assert "nothing to stop" not in done.stderr
