"""A loss limit at a venue whose clock is wrong for a while."""

from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import running_exchange
from messages.values import OrderState, Side
from tests.system.live_bot import BTC, Bot, live_bot

DAY_MS = 86_400_000


def why_not(bot: Bot) -> str:
    """Give what holds back an order that adds risk, once the market is known; empty for nothing."""
    bot.until_fresh(4_000)
    return bot.until_state(bot.decide(), OrderState.REFUSED, OrderState.FILLED).state_reason


@pytest.mark.slow
def test_an_execution_that_is_stamped_with_tomorrow_does_not_end_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"max_daily_loss": "20", "max_orders_per_minute": 10_000}
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, risk=limits) as bot,
    ):
        bot.trades()
        run.exchange.set_price(BTC, Decimal(40_000))
        bot.until(lambda: why_not(bot).startswith("max_daily_loss"))
        leaving = bot.decide(Side.SELL, limit_price="42000", reference_price="40000")
        resting = bot.until_state(leaving, OrderState.ACCEPTED)

        run.exchange.skew_clock(DAY_MS)
        run.exchange.fill_order(resting.client_order_id)
        bot.until_state(leaving, OrderState.FILLED)
        run.exchange.skew_clock(0)

        run.exchange.release_price(BTC)
        # Until the market trades on, its last event is the one of tomorrow.
        bot.until(lambda: not why_not(bot).startswith("max_market_age_ms"))
        assert why_not(bot).startswith("max_daily_loss")
