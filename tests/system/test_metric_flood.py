"""Ten million messages with metrics on: memory is flat, the disk bounded, nothing missed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import STRESS
from tests.system.metric_flood import HOPS, KEEP, ROTATE_BYTES

PROGRAM = Path(__file__).with_name("metric_flood.py")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_memory_is_flat_the_disk_bounded_and_every_message_counted(tmp_path: Path) -> None:
    total = 10_000_000 if STRESS else 160_000
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), str(tmp_path), str(total)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    handled = told["tells"] * HOPS
    assert told["handled"] == told["measured"] == told["waited"] == told["ok"] == handled
    assert told["late_mb"] < told["early_mb"] + 8
    # The files that stay are compressed; one is being written, one perhaps being compressed.
    assert told["disk_mb"] < (KEEP * 0.5 + 2.5) * ROTATE_BYTES / 1e6
    bearing = told["tells"] // 100 * HOPS
    sampled = (told["tells"] - told["tells"] // 100) // 1000 * HOPS
    assert told["given"] == bearing + sampled
    assert told["dropped_lines"] == 0
    assert told["lines"] == told["given"] + told["intervals"]
