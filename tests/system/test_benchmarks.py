"""What a benchmark has started ends with it, however that one ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the extra `dashboard` is not installed")

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_command_ends_when_who_measures_it_is_gone(tmp_path: Path) -> None:
    words = ("dashboard", str(tmp_path), "--serve", "--port", "0")
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "benchmarks.lifeline", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith(b"http://")
            process.stdin.close()  # as the kernel does for who was killed
            assert process.wait(60) == 1
        finally:
            process.kill()
