"""SIGKILL at each durable step of entries, their stops and their exits: one exit per trigger."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import STRESS

EVERY = 1 if STRESS else 7
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_left_is_what_an_uninterrupted_run_leaves(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.system.stop_kills", str(tmp_path), str(EVERY)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True
    )

    assert done.returncode == 0, done.stderr.decode()
    first, *lines = map(json.loads, done.stdout.splitlines())
    stops = first["whole"]["stops"]
    assert [stop[2] for stop in stops] == ["stop_loss", "take_profit", "trailing", "stop_loss"]
    assert {stop[1] for stop in stops} == {"done"}
    assert len(lines) >= 2 * first["steps"] // EVERY > 8
    assert [line for line in lines if line["differ"]] == []
