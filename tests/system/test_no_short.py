"""A live account with coins of its owner: a sell without a buy of ours does not touch them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import running_exchange
from messages.values import OrderState, Side
from tests.system.live_bot import live_bot


@pytest.mark.slow
def test_after_a_buy_that_was_rejected_the_sell_is_refused_and_the_owner_keeps_the_coins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        run.exchange.arm(Plan(fault=Fault.CLOCK_REFUSED, operation="place"))
        bot.until_state(bot.decide(), OrderState.REJECTED)
        before = run.exchange.balances()["BTC"]

        refused = bot.until_state(bot.decide(Side.SELL), OrderState.REFUSED)

        assert refused.state_reason.startswith("no_position: ")
        assert run.exchange.balances()["BTC"] == before
        assert len(run.exchange.requests(operation="place")) == 1


@pytest.mark.slow
def test_what_was_bought_can_be_sold_once_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run:
        with live_bot(run, tmp_path / "run", monkeypatch) as bot:
            bot.trades()
        with live_bot(run, tmp_path / "run", monkeypatch) as bot:
            assert bot.position() == Decimal("0.01"), "its strategy knows what it holds"
            bot.until_state(bot.decide(Side.SELL), OrderState.FILLED)
            bot.until_state(bot.decide(Side.SELL), OrderState.REFUSED)


@pytest.mark.slow
def test_a_whole_exit_is_sold_although_the_fee_was_taken_in_coins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account held no coin before: of 0.01 that were bought, 0.00999 are there."""
    with (
        running_exchange(seed=3, balances={"USDT": Decimal(10_000)}) as run,
        live_bot(run, tmp_path / "run", monkeypatch) as bot,
    ):
        bot.trades()

        out = bot.until_state(bot.decide(Side.SELL), OrderState.FILLED)

        assert (out.decided_quantity, out.quantity) == (Decimal("0.01"), Decimal("0.00999"))
        assert out.reason.endswith("of 0.01, fees have left 0.00999")
        bot.until_well()
        again = bot.until_state(bot.decide(Side.SELL), OrderState.REFUSED)
        assert again.state_reason.startswith("no_position: ")


@pytest.mark.slow
def test_what_fees_took_in_one_round_trip_is_not_sold_after_the_next_buy_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account has coins of its owner; also the next process does not touch them."""
    limits = {"max_order_notional": "1000", "max_position_notional": "1000"}
    with running_exchange(seed=3) as run:
        with live_bot(run, tmp_path / "run", monkeypatch, risk=limits) as bot:
            bot.trades()
            assert bot.until_state(bot.decide(Side.SELL), OrderState.FILLED).quantity < Decimal(
                "0.01"
            )
            after_the_trip = run.exchange.balances()["BTC"]
            bot.until_state(bot.decide(quantity="1"), OrderState.REFUSED)
            bot.until_state(bot.decide(Side.SELL, "0.00001"), OrderState.REFUSED)
            bot.until_well()
        with live_bot(run, tmp_path / "run", monkeypatch, risk=limits) as bot:
            bot.until_state(bot.decide(Side.SELL, "0.00001"), OrderState.REFUSED)
            assert bot.system.account.latest["state"] == "same"
        assert run.exchange.balances()["BTC"] == after_the_trip


@pytest.mark.slow
@pytest.mark.parametrize("limits", [{"allow_short": True}])
def test_who_allows_it_sells_what_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any]
) -> None:
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, risk=limits) as bot,
    ):
        assert bot.until_state(bot.decide(Side.SELL), OrderState.FILLED)
