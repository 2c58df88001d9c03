"""Whatever step of a rotation, or of the summary's replacement, is the last one: no line is lost,
twice there, or torn, and the summary is a whole one, no older than what was said last.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STRESS = bool(os.getenv("WATCHKEEPER_STRESS"))
PROGRAM = Path(__file__).with_name("rotation_kills.py")


def result(act: str, folder: Path, count: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), act, str(folder), str(count)],
        capture_output=True,
        text=True,
        timeout=250,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sys.stdout.write(done.stdout)
    told: dict[str, int] = json.loads(done.stdout)
    return told


@pytest.mark.slow
def test_killed_at_each_step_of_what_it_does(tmp_path: Path) -> None:
    assert result("steps", tmp_path, 1 if STRESS else 11)["kills"] > (100 if STRESS else 10)


@pytest.mark.slow
def test_killed_at_each_line_of_replacing_the_summary(tmp_path: Path) -> None:
    told = result("summary", tmp_path, 1 if STRESS else 61)

    assert told["kills"] > (500 if STRESS else 10)
    if STRESS:
        assert told["torn"] > 50  # so many came while it was written beside


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    kills = 500 if STRESS else 25
    told = result("random", tmp_path, kills)

    assert told["lines"] > kills
    if STRESS:
        assert told["torn"] > 20  # so many came while a summary was written beside
