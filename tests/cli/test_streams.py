"""Commands whose output cannot be written, or has no reader: what they do is done all the same."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.runs import ROOT, command, real_run

pytestmark = pytest.mark.slow
FULL = Path("/dev/full")
UNBUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"])


def told(
    *arguments: str, unbuffered: str = "1", cwd: Path | None = None, **streams: object
) -> "subprocess.CompletedProcess[str]":
    """Run a command with these streams; the others are read."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]  # whatever a test gives
        [sys.executable, "-P", "-m", "cli", *arguments],
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
        **given,
    )


def nobody() -> int:
    """Give a pipe whose reader is gone."""
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    return write_fd


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_run(tmp_path_factory.mktemp("streams") / "run", events=200)


@pytest.mark.parametrize("place", ["full", "gone"])
def test_a_halt_is_proved_though_its_progress_cannot_be_told(ended: Path, place: str) -> None:
    """The venue is asked, and orders are canceled, after the first line on stderr."""
    stderr = os.open(FULL, os.O_WRONLY) if place == "full" else nobody()

    done = told("halt", str(ended), stderr=stderr)

    os.close(stderr)
    assert (done.returncode, done.stdout.partition(" ")[0]) == (0, "proved:")


def test_a_stderr_that_nobody_reads_on_holds_nothing_up(ended: Path) -> None:
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    with suppress(BlockingIOError):
        while os.write(write_fd, b"x" * 4_096):
            pass
    os.set_blocking(write_fd, True)

    done = told("halt", str(ended), stderr=write_fd, timeout=30)

    os.close(read_fd)
    os.close(write_fd)
    assert done.returncode == 0


@UNBUFFERED
@pytest.mark.parametrize("word", ["audit", "positions", "health"])
def test_an_output_without_room_is_one_sentence(ended: Path, word: str, unbuffered: str) -> None:
    with FULL.open("w") as full:
        done = told(word, "--run-dir", str(ended), stdout=full, unbuffered=unbuffered)

    assert done.stderr == "watchkeeper: stdout: no space left on device\n"
    assert done.returncode == 2


@UNBUFFERED
def test_a_reader_that_left_makes_no_verdict(ended: Path, unbuffered: str) -> None:
    """The command's own code where it got so far, and otherwise none that says that all is well."""
    stdout = nobody()

    done = told("health", str(ended), stdout=stdout, unbuffered=unbuffered)

    os.close(stdout)
    assert done.returncode in (3, 141)
    assert done.stderr == ""


@pytest.mark.parametrize("words", [["start"], ["doctor"], ["check", "x.toml"]])
def test_a_working_directory_that_is_gone_is_one_sentence(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "gone").mkdir()
    shell = 'cd gone && rmdir ../gone && exec "$0" -P -m cli "$@"'
    done = subprocess.run(
        ["bash", "-c", shell, sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_without_room_is_one_sentence(ended: Path) -> None:
    done = command("report", str(ended), "--html", str(FULL))

    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "no space left on device" in done.stderr
