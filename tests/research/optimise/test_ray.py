"""Workers on a Ray cluster: the same trials as in processes of this machine."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runs import ROOT
from tests.research.optimise.markets import write_candles, write_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stress,
    pytest.mark.skipif(
        not os.environ.get("WATCHKEEPER_STRESS"), reason="the long form: tox -e stress"
    ),
]
for needed in ("optuna", "ray"):
    if find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)

WORDS = (
    *("--param", "fast=2:30", "--param", "slow=5:90", "--min-orders", "3", "--windows", "1"),
    *("--trials", "8", "--jobs", "1", "--json"),
)


def search(folder: Path, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "optimize", "bot.toml", *WORDS, *words],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    return {**report, "study": "", "storage": ""}


def test_a_local_cluster_finds_what_processes_find(tmp_path: Path) -> None:
    write_candles(tmp_path / "candles.csv", 2_000)
    write_config(tmp_path)

    on_ray = search(tmp_path, "--study", "ray", "--ray", "local")

    assert on_ray["trials"] == 16
    assert on_ray == search(tmp_path, "--study", "here")


LOOPS = """
from typing import Annotated
import msgspec
from strategies import Strategy

class Params(msgspec.Struct, frozen=True):
    n: Annotated[int, msgspec.Meta(ge=1, le=3)] = 1

class Loops(Strategy):
    Params = Params

    def __init__(self, params, *_):
        self.n = params.n

    def on_candle(self, candle, position):
        while self.n == 2:
            pass
"""


def test_a_call_that_does_not_come_back_costs_its_trial_and_its_worker(tmp_path: Path) -> None:
    write_candles(tmp_path / "candles.csv", 400)
    (tmp_path / "loops.py").write_text(LOOPS)
    write_config(tmp_path, "loops.py:Loops", "n = 1")
    words = ("--objective", "return", "--min-orders", "0", "--windows", "0", "--trials", "3")

    done = subprocess.run(
        [
            *(
                sys.executable,
                "-P",
                "-m",
                "cli",
                "optimize",
                "bot.toml",
                "--json",
                "--ray",
                "local",
            ),
            *("--jobs", "1", "--event-limit-s", "1", *words),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
    )

    assert done.returncode == 0, done.stderr[-3000:]
    (window,) = json.loads(done.stdout)["windows"]
    (failed,) = window["failures"]
    assert failed["params"] == {"s": {"n": 2}}
    assert "strategy s did not come back within 1 s on the candle of BTC/USDT" in failed["reason"]
    assert (window["trials"]["failed"], window["trials"]["done"]) == (1, 2)
