"""`optimize` in this process and in one of its own, on few trials."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cli
from tests.cli.runs import ROOT

LONG = (
    pytest.mark.stress,
    pytest.mark.skipif(
        not os.environ.get("WATCHKEEPER_STRESS"), reason="the long form: tox -e stress"
    ),
)
RANGES = ("--param", "fast=2:30", "--param", "slow=5:90")
FEW = ("--windows", "2", "--min-orders", "3", *RANGES)


def optimize(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any, str]:
    """Run it in this process; give its code, its JSON and what it said beside."""
    code = cli.main(["optimize", "bot.toml", *words, "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else None, told.err


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "optimize", "bot.toml", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
