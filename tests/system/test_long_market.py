"""Hours of market in minutes, three strategies, everything failing at random: nothing is lost."""

import sys
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from tests.system.conftest import STRESS
from tests.system.long_market import Report, play
from tests.system.market_config import Pace

GROWTH_MB = 6.0
"""What memory may grow by from a quarter of the time to its end, and at any look between."""
FULL_GROWTH_MB = 4.0
"""The same from 40 % on, where what is remembered of a thousand ended orders is full by then."""
LEAST_FILLED = 25
"""So few that a busy machine has them in time, and enough to meet faults."""
FIVE_MINUTES = Pace(market_s=300, speed=20, every=3, least_filled=LEAST_FILLED, settle_ms=2_000)
TWO_HOURS = Pace(market_s=7_200, speed=20, every=3)
SILENT_HOURS = Pace(market_s=7_200, speed=20, every=3, hangs=True)
"""A symbol waits so often that a third to two thirds of the decisions are refused for it."""
FULL_HOURS = Pace(market_s=7_200, speed=20, every=1, at_once=3, not_arriving=0.1)
"""Some 6,000 orders at the exchange instead of 1,000."""
MANY_ORDERS = Pace(
    market_s=15_000, speed=20, every=1, at_once=3, not_arriving=0.02, least_filled=10_000
)
"""Some 20,000 decisions: an order seldom waits for another of its symbol to be settled."""


def check(report: Report) -> None:
    sys.stdout.write(f"{msgspec.json.encode(report).decode()}\n")

    assert report.problems == []
    # A tick that waited too long for a busy machine is dropped and counted; nothing else is.
    assert all("/strategies/" in path for path in report.dead_letters), report.dead_letters
    assert report.states.get("filled", 0) >= LEAST_FILLED
    assert len(report.failed_starts) <= 1, "a busy machine may cost one start, not more"
    assert report.kills == 2
    assert report.struck > 3


def check_memory(report: Report, since: int = 25, growth_mb: float = GROWTH_MB) -> None:
    later = {part: mb for part, mb in report.bot_mb.items() if int(part[:-1]) > since}
    assert max(later.values()) < report.bot_mb[f"{since}%"] + growth_mb, report.bot_mb


@pytest.mark.longest
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_minutes_of_a_market_that_fails_at_random_lose_nothing(tmp_path: Path) -> None:
    check(play(tmp_path, 7, FIVE_MINUTES))


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not STRESS, reason="two hours of market take six minutes")
def test_two_hours_lose_nothing_and_memory_stays_flat(tmp_path: Path) -> None:
    report = play(tmp_path, 11, TWO_HOURS)

    check(report)
    check_memory(report)


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not STRESS, reason="two hours of market take six minutes")
def test_two_hours_of_answers_that_never_come_and_silent_streams_lose_nothing(
    tmp_path: Path,
) -> None:
    report = play(tmp_path, 17, SILENT_HOURS)

    check(report)
    check_memory(report)


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not STRESS, reason="two hours of market take six minutes")
def test_once_all_that_is_remembered_is_full_memory_stays_flatter(tmp_path: Path) -> None:
    report = play(tmp_path, 11, FULL_HOURS)

    check(report)
    check_memory(report, since=40, growth_mb=FULL_GROWTH_MB)


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.timeout(2400)
@pytest.mark.skipif(not STRESS, reason="so many orders take a quarter of an hour")
def test_many_thousand_orders_leave_memory_as_it_was(tmp_path: Path) -> None:
    report = play(tmp_path, 13, MANY_ORDERS)

    check(report)
    check_memory(report)
    assert report.states["filled"] >= MANY_ORDERS.least_filled, "too slow a machine"
