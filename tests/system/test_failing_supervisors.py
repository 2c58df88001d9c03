"""A supervisor that crashes or hangs in a real process: who is told, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.bots import Bot
from tests.waiting import until

OWN = Path(__file__).with_name("failing_supervisors.py")
pytestmark = pytest.mark.slow
Start = Callable[..., Bot]


def started(start: Start, folder: Path, fails: str) -> Bot:
    path = folder / "bot.toml"
    path.write_text(
        f'name = "bot"\nrun_dir = "{folder / "run"}"\n'
        '[feed]\ntype = "demo"\nsymbols = ["BTC/USDT"]\nspeed = 600\n'
        f'[[strategy]]\nid = "own"\nuses = "{OWN}:UnderAFailingSupervisor"\n'
        "[strategy.params]\nfast = 5\nslow = 15\n"
    )
    return start(str(path), environment={**os.environ, "FAILS": fails})


def live(folder: Path) -> str:
    """What the probe of liveness says."""
    arguments = ["health", "--run-dir", str(folder / "run"), "--probe", "live"]
    command = [sys.executable, "-P", "-m", "cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_a_root_that_crashes_ends_the_run_as_one_that_gives_up(
    start: Start, tmp_path: Path
) -> None:
    bot = started(start, tmp_path, "root crashes")

    code, _ = bot.end()

    assert code == 70
    assert bot.events[-1]["reason"] == "the root supervisor crashed: MemoryError: no more"
    ended = json.loads((tmp_path / "run/status.json").read_text())["ended"]
    assert (ended["exit_code"], ended["reason"]) == (70, bot.events[-1]["reason"])


def test_a_root_that_hangs_is_told_by_all_that_is_asked_and_the_run_can_be_ended(
    start: Start, tmp_path: Path
) -> None:
    bot = started(start, tmp_path, "root hangs")

    bot.until_why("the root supervisor does no rounds; root is hung")
    assert live(tmp_path) == "live: no: the root supervisor does no rounds\n"
    code, _ = bot.end(signal.SIGTERM)

    assert code == 70
    assert bot.events[-1]["reason"] == (
        "stopped by SIGTERM; the root supervisor hung, and was given up with all below it"
    )


def test_a_branch_whose_supervisor_hangs_is_started_anew_and_trades(
    start: Start, tmp_path: Path
) -> None:
    bot = started(start, tmp_path, "execution hangs")

    def again() -> bool:
        told = [one for one in bot.of("supervision") if one["child"] == "execution/executor"]
        return any(one["what"] == "started" and one["epoch"] > 1 for one in told)

    bot.until(again)
    before = bot.of("status")[-1]["counters"]["processed"]
    bot.until_processed(before + 10)
    until(lambda: live(tmp_path) == "live: yes\n")
    code, _ = bot.end(signal.SIGTERM)

    assert code == 0
