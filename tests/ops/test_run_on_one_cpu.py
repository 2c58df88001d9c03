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
busy = iter(range(0, 1 << 62, int(sys.argv[1])))
ops.cpu_keeper.LOOK_EVERY_S = 0.2
ops.cpu_keeper.read_busy = lambda: dict.fromkeys(os.sched_getaffinity(0), next(busy))
cli.main(["start", "--run-dir", sys.argv[2], "--duration", "1", "--json"])
print(len(os.sched_getaffinity(0)))
"""


def cpus_of_a_run(run_dir: Path, busy_ns: int) -> int:
    """Run for a second, with somebody else on every CPU for so long between two looks."""
    command = [sys.executable, "-P", "-c", RUN, str(busy_ns), str(run_dir)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return int(run.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(CPUS < 2, reason="there is nothing to choose")
def test_a_run_is_on_one_cpu_where_nobody_else_is_and_on_any_where_all_are_busy(
    tmp_path: Path,
) -> None:
    assert cpus_of_a_run(tmp_path / "calm", 1) == 1
    assert cpus_of_a_run(tmp_path / "busy", 10**9) == CPUS
