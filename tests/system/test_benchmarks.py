"""Benchmarks measure the program as it is now, and leave nothing behind, however they end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import step_system
from benchmarks.common import Options

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


def test_the_stepped_system_is_wired_with_what_is_measured(tmp_path: Path) -> None:
    candles = step_system.make_candles(2_000)

    step_system.write_csv(tmp_path / "candles.csv", candles)
    _, orders = step_system.system_rate(tmp_path, candles, loaded=True, backend="memory")

    assert orders == step_system.plain_loop([float(one.close) for one in candles])
    assert not list((tmp_path / "run").glob("*.db")), "neither the ledger nor the book is a file"


def test_a_benchmark_that_breaks_costs_nobody_what_the_others_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(options: Options) -> None:
        raise LookupError("a name that moved")

    monkeypatch.setattr(step_system, "run", broken)

    found = program._measured("step_system", Options(quick=True, rows=1, folder=tmp_path))

    assert [(one.met, one.note) for one in found] == [
        (False, "it broke: LookupError: a name that moved")
    ]
    assert "a name that moved" in capsys.readouterr().err
