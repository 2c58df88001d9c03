"""A process that dies between two orders of one moment, each of another symbol."""

import os
import signal
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
uses = "{strategies}:BuysOfEach"
symbols = ["BTC/USDT", "ETH/USDT"]
[risk]
max_order_notional = "1000"
"""


def test_the_next_start_decides_the_second_one(start: Start, tmp_path: Path) -> None:
    """The strategy manages its orders: it is not asked once more for what it has decided."""
    market = crossing_candles(tmp_path, 600)

    def begun(name: str, **environment: str) -> Bot:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        path = folder / "bot.toml"
        path.write_text(CONFIG.format(folder=folder, market=market, strategies=STRATEGIES))
        return start(path, environment={**os.environ, **environment})

    code, _ = begun("killed", DIES_ONCE_CLAIMED=str(tmp_path / "killed" / "run")).end()
    assert code == -signal.SIGKILL
    before = orders_in_ledger(tmp_path / "killed" / "run")
    assert len(before) % 2 == 1, "the other order of the moment is not decided"

    for name in ("killed", "undisturbed"):
        assert begun(name).end()[0] == 0

    orders = orders_in_ledger(tmp_path / "undisturbed" / "run")
    assert len(orders) == 2 * 60
    assert orders_in_ledger(tmp_path / "killed" / "run") == orders
