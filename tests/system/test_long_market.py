"""Hours of market in minutes, three strategies, everything failing at random: nothing is lost."""

import sys
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from tests.system.conftest import STRESS
from tests.system.long_market import Report, play

GROWTH_MB, GROWTH = 8.0, 1.10
"""What memory may grow by from a quarter of the time to its end."""


def check(report: Report) -> None:
    sys.stdout.write(f"{msgspec.json.encode(report).decode()}\n")

    assert report.problems == []
    # A tick that waited too long for a busy machine is dropped and counted; nothing else is.
    assert all("/strategies/" in path for path in report.dead_letters), report.dead_letters
    assert report.states.get("filled", 0) > 20
    assert report.kills == 3
    assert report.struck > 3


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_five_minutes_of_a_market_that_fails_at_random_lose_nothing(tmp_path: Path) -> None:
    check(play(tmp_path, seed=7, market_s=300, speed=20, every=3))


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not STRESS, reason="two hours of market take six minutes")
def test_two_hours_lose_nothing_and_memory_stays_flat(tmp_path: Path) -> None:
    report = play(tmp_path, seed=11, market_s=7_200, speed=20, every=3)

    check(report)
    assert report.bot_mb["100%"] < report.bot_mb["25%"] * GROWTH + GROWTH_MB
