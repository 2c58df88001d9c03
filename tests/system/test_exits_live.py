"""An exit that comes before its entry has filled, at a real venue's API: all is left, once."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import running_exchange
from messages.halting import CancelOrder
from messages.values import OrderState, Side
from tests.system.live_bot import live_bot

MANY = {"USDT": Decimal(1_000_000), "BTC": Decimal(10)}
"""Coins of its owner: what is sold too much would be his."""


@pytest.mark.slow
def test_an_exit_while_the_answer_to_its_entry_is_on_its_way_is_sent_once_that_has_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_exchange(seed=3, balances=MANY) as run,
        live_bot(run, tmp_path / "run", monkeypatch) as bot,
    ):
        run.exchange.arm(Plan(fault=Fault.DELAYED_REPLY, operation="place", delay_ms=1_500))
        bot.decide()

        out = bot.until_state(bot.decide(Side.SELL, leaves="0.01"), OrderState.FILLED)

        assert out.decided_quantity in (None, Decimal("0.01"))
        assert len(run.exchange.requests(operation="place")) == 2
        bot.until_well()


@pytest.mark.slow
def test_what_an_entry_fills_in_a_race_with_its_cancel_is_left_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it fills just before it is canceled, after the exit was decided."""
    with (
        running_exchange(seed=3, balances=MANY) as run,
        live_bot(run, tmp_path / "run", monkeypatch) as bot,
    ):
        entry = bot.decide(quantity="0.02", limit_price="50000")
        bot.until_state(entry, OrderState.ACCEPTED)
        out = bot.decide(Side.SELL, quantity="0.02", leaves="0.02")

        run.exchange.arm(Plan(fault=Fault.CANCEL_PARTIAL_RACE, operation="cancel"))
        bot.system.executor.tell(CancelOrder(order_key=entry, request="1"))

        ended = bot.until_state(entry, OrderState.CANCELED)
        sold = bot.until_state(out, OrderState.FILLED)
        assert ended.filled_quantity == Decimal("0.01")
        assert (sold.decided_quantity, sold.quantity) == (Decimal("0.02"), Decimal("0.00999"))
        assert owner_keeps(run)
        bot.until_well()


def owner_keeps(run: Any) -> bool:
    """All that was bought is sold, but for what fees and the venue's step have left."""
    free, locked = run.exchange.balances()["BTC"]
    return bool(not locked and abs(free - MANY["BTC"]) < Decimal("0.0001"))
