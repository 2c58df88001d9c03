"""A strategy that is slow with each candle: it is no hung one, and ends when it is asked."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.runs import command
from tests.system.bots import Bot
from tests.system.conftest import orders_in_ledger
from tests.system.test_bad_input import recorded
from tests.system.test_exhausted import Start, config

EVENTS = 600
"""More than one message of the feed holds: 256."""
HANGS_SOON = "[supervision]\nhang_after_s = 1\n"
pytestmark = pytest.mark.slow
Slow = Callable[[str, float], Bot]


@pytest.fixture
def slow(start: Start, tmp_path: Path) -> Slow:
    """Start a recording with a strategy that takes so many seconds for each candle."""
    market = tmp_path / "candles.csv"
    recorded(market, EVENTS)

    def begin(name: str, seconds: float) -> Bot:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        path = config(folder, "TakesItsTime", f'type = "replay"\npath = "{market}"')
        text = path.read_text().replace("[supervision]\n", HANGS_SOON)
        text += '[journal]\nwhen = "always"\n'
        path.write_text(text)
        return start(path, environment={**os.environ, "SLOW_S": str(seconds)})

    return begin


def test_events_that_take_longer_together_than_one_may_are_no_hang(
    slow: Slow, tmp_path: Path
) -> None:
    """256 of them are 2.5 s; a strategy counts as hung after one."""
    bot = slow("slow", 0.01)

    code, said = bot.end()

    assert code == 0, said
    last = bot.events[-1]
    assert (last["reason"], last["restarts"]) == ("the market ended", 0)
    assert last["counters"]["processed"] == EVENTS
    assert "hung" not in {event["what"] for event in bot.of("supervision")}
    assert slow("quick", 0).end()[0] == 0
    assert orders_of(tmp_path / "slow") == orders_of(tmp_path / "quick") != []


def test_one_that_is_asked_to_end_leaves_what_waits_for_it_and_the_next_start_takes_it(
    slow: Slow, tmp_path: Path
) -> None:
    """What waits takes it 12 s, longer than it is waited for."""
    bot = slow("stopped", 0.02)
    bot.until(lambda: bool(bot.of("order")))

    code, said = bot.end(signal.SIGTERM)

    assert code == 0, said
    assert bot.events[-1]["reason"] == "stopped by SIGTERM"
    replayed = command("replay", str(tmp_path / "stopped" / "run"))
    assert replayed.returncode == 0, replayed.stdout
    decided = orders_of(tmp_path / "stopped")
    assert slow("quick", 0).end()[0] == 0
    undisturbed = orders_of(tmp_path / "quick")
    assert 0 < len(decided) < len(undisturbed)
    assert slow("stopped", 0).end()[0] == 0
    assert orders_of(tmp_path / "stopped") == undisturbed


def orders_of(folder: Path) -> list[tuple[object, ...]]:
    return orders_in_ledger(folder / "run")
