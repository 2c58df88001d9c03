"""One run of the bot as a process, and the CPUs that its threads are on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1

RUN = """
import os, sys
import cli, ops.cpu_keeper
ops.cpu_keeper.LOOK_EVERY_S = 0.2
ops.cpu_keeper.read_busy = lambda: dict.fromkeys(os.sched_getaffinity(0), 0)
cli.main(["start", "--run-dir", sys.argv[1], "--duration", "1", "--json"])
print(len(os.sched_getaffinity(0)))
"""


@pytest.mark.slow
@pytest.mark.skipif(CPUS < 2, reason="there is nothing to choose")
def test_a_run_is_on_one_cpu_once_it_has_seen_that_nobody_else_is(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", RUN, str(tmp_path / "run")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert run.stdout.splitlines()[-1] == "1"
