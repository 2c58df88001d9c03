"""A network that delivers one request twice: real ccxt, a bot, an exchange on loopback."""

from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import running_exchange
from messages.values import OrderState, Side
from persistence.ledger import read_fills
from tests.system.live_bot import live_bot

pytestmark = pytest.mark.slow


def test_what_it_makes_twice_is_told_and_executed_once_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = tmp_path / "run"
    with running_exchange(seed=3) as run, live_bot(run, run_dir, monkeypatch) as bot:
        bot.trades()
        run.exchange.arm(Plan(fault=Fault.DELIVERED_TWICE))

        key = bot.decide()

        entry = bot.until_state(key, OrderState.FILLED)
        matters = bot.until(lambda: bot.health()["matters"])
        assert len(run.exchange.doubled()) == 1
        assert matters[0]["kind"] == "doubled"
        assert f"order {key} is at the venue 2 times" in matters[0]["problem"]
        executed = sum(one.quantity for one in read_fills(run_dir / "ledger.db", key))
        assert executed == entry.filled_quantity == entry.quantity
        run.exchange.disarm()

        assert bot.until_state(bot.decide(Side.SELL), OrderState.FILLED)
