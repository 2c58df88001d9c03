"""One run of the bot as a process."""

import subprocess
import sys
from pathlib import Path

import pytest

COUNTED = """
import gc, sys
import cli, ops.collector
ops.collector.PASS_EVERY_S = float(sys.argv[1])
passes = []

def note(phase, info):
    if phase == "start" and info["generation"] == 2:
        passes.append(phase)

gc.callbacks.append(note)
cli.main(["start", "--run-dir", sys.argv[2], "--duration", "1", "--json"])
print(len(passes))
"""


def full_passes(run_dir: Path, every_s: str) -> int:
    """Run for a second; count the full passes of the cycle collector."""
    command = [sys.executable, "-P", "-c", COUNTED, every_s, str(run_dir)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return int(run.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_run_collects_what_it_leaves_behind_when_that_is_due(tmp_path: Path) -> None:
    seldom = full_passes(tmp_path / "seldom", "3600")
    often = full_passes(tmp_path / "often", "0")

    assert often > seldom + 1
