"""A bot at an exchange that is not shaped as Binance: other names for orders, other answers."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import running_exchange
from exchanges.local.settings import Profile
from messages.values import OrderState, Side
from ops.audit import audit_run
from tests.system.live_bot import BTC, live_bot

pytestmark = pytest.mark.slow


def test_every_order_has_a_name_that_the_exchange_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters and digits only, at OKX: of names made for Binance it takes every second one."""
    with running_exchange(seed=3, speed=1, profile=Profile.OKX) as run:
        monkeypatch.setenv("TEST_PASSWORD", run.exchange.settings.api_password)
        venue: dict[str, Any] = {"exchange": "okx", "api_password_env": "TEST_PASSWORD"}
        with live_bot(run, tmp_path / "run", monkeypatch, venue=venue) as bot:
            bot.until(lambda: BTC in bot.health()["market_age_s"])  # which is polled
            orders = [
                bot.until_state(bot.decide(side), OrderState.FILLED)
                for side in (Side.BUY, Side.SELL) * 6
            ]
            resting = bot.decide(limit_price="50000", reference_price="50000")
            bot.until_state(resting, OrderState.ACCEPTED)
            assert bot.position() == Decimal(0)
            bot.assert_no_restart()
        assert all(one.client_order_id.isalnum() for one in orders)
        assert run.exchange.doubled() == {}
        assert [check for check in audit_run(tmp_path / "run") if check.differ] == []
