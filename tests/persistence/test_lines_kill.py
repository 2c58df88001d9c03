"""Whatever step of a rotation is the last one: no line is lost, twice there, or torn."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STRESS = bool(os.getenv("WATCHKEEPER_STRESS"))
PROGRAM = Path(__file__).with_name("rotation_kills.py")


def result(act: str, folder: Path, count: int) -> int:
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), act, str(folder), str(count)],
        capture_output=True,
        text=True,
        timeout=250,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
def test_killed_at_each_step_of_what_it_does(tmp_path: Path) -> None:
    assert result("steps", tmp_path, 1 if STRESS else 11) > (100 if STRESS else 10)


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    kills = 500 if STRESS else 25
    assert result("random", tmp_path, kills) > kills
