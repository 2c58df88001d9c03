"""A process that dies between two orders of one moment, each of another symbol."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.bots import Bot
from tests.system.conftest import orders_in_ledger
from tests.system.market_files import crossing_candles
from tests.system.test_exhausted import Start

pytestmark = pytest.mark.slow
STRATEGIES = Path(__file__).with_name("following_strategies.py")
CONFIG = """
name = "bot"
run_dir = "{folder}/run"
[feed]
type = "replay"
path = ["{market}", "{market}"]
symbols = ["BTC/USDT", "ETH/USDT"]
[[strategy]]
id = "both"
uses = "{strategies}:{name}"
symbols = ["BTC/USDT", "ETH/USDT"]
[risk]
max_order_notional = "1000"
"""


Begun = Callable[..., Bot]


@pytest.fixture
def begun(start: Start, tmp_path: Path) -> Begun:
    """Start a strategy on two symbols of one market, in a folder."""
    market = crossing_candles(tmp_path, 600)

    def begin(uses: str, folder: str, **environment: str) -> Bot:
        path = tmp_path / folder / "bot.toml"
        path.parent.mkdir(exist_ok=True)
        text = CONFIG.format(folder=path.parent, market=market, strategies=STRATEGIES, name=uses)
        path.write_text(text)
        return start(path, environment={**os.environ, **environment})

    return begin


def test_the_next_start_decides_the_second_one(begun: Begun, tmp_path: Path) -> None:
    """The strategy manages its orders: it is not asked once more for what it has decided."""
    killed, undisturbed = tmp_path / "killed" / "run", tmp_path / "undisturbed" / "run"
    code, _ = begun("BuysOfEach", "killed", DIES_ONCE_CLAIMED=str(killed)).end()
    assert code == -signal.SIGKILL
    before = orders_in_ledger(killed)
    assert len(before) % 2 == 1, "the other order of the moment is not decided"

    for name in ("killed", "undisturbed"):
        assert begun("BuysOfEach", name).end()[0] == 0

    orders = orders_in_ledger(undisturbed)
    assert len(orders) == 2 * 60
    assert orders_in_ledger(killed) == orders


def test_the_next_start_decides_nothing_that_was_not_decided_before_it(
    begun: Begun, tmp_path: Path
) -> None:
    """What is held in the end was not held then: it would buy what it had no reason to."""
    killed, undisturbed = tmp_path / "killed" / "run", tmp_path / "undisturbed" / "run"
    code, _ = begun("OneAtATime", "killed", DIES_ONCE_CLAIMED=str(killed)).end()
    assert code == -signal.SIGKILL

    for name in ("killed", "undisturbed"):
        assert begun("OneAtATime", name).end()[0] == 0

    assert orders_in_ledger(killed) == orders_in_ledger(undisturbed)
    assert len(orders_in_ledger(killed)) == 3
