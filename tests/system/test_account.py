"""The account compared with the ledger, in live mode against an exchange on loopback."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

import ccxt

from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault
from exchanges.local.server import running_exchange
from messages.account import AcceptAccount
from messages.lifecycle import ActorState, InjectCrash
from messages.values import OrderState, Side
from tests.system.live_bot import Bot, live_bot

pytestmark = pytest.mark.slow

OFTEN: dict[str, Any] = {"account_interval_s": 1}


@pytest.fixture(autouse=True)
def confirmed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.account_desk.CONFIRM_NS", 100_000_000)


def latest(bot: Bot) -> dict[str, Any]:
    found: dict[str, Any] = bot.system.account.latest
    return found


def until_compared(bot: Bot, state: str = "same") -> dict[str, Any]:
    """Wait for a comparison from now on."""
    now_ns = bot.system.runtime.clock.utc_ns()
    bot.until(lambda: latest(bot)["state"] == state and latest(bot)["read_at_ns"] > now_ns)
    return latest(bot)


def row(bot: Bot, currency: str) -> dict[str, str]:
    rows: list[dict[str, str]] = latest(bot)["rows"]
    return next(one for one in rows if one["currency"] == currency)


@pytest.mark.parametrize("fees_in_bnb", [False, True], ids=["fees in what is received", "in BNB"])
def test_what_was_bought_and_sold_explains_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fees_in_bnb: bool
) -> None:
    with (
        running_exchange(seed=3, fees_in_bnb=fees_in_bnb) as run,
        live_bot(run, tmp_path / "run", monkeypatch, venue=OFTEN) as bot,
    ):
        until_compared(bot)
        assert Decimal(row(bot, "USDT")["baseline"]) == 1_000_000
        for side in (Side.BUY, Side.SELL, Side.BUY):
            bot.until_state(bot.decide(side), OrderState.FILLED)
        until_compared(bot)

        # An exit is of what the fee has left, so one fee is still in what is held.
        assert Decimal(row(bot, "BTC")["traded"]) == Decimal("0.01" if fees_in_bnb else "0.00999")
        bot.until_well()
        fee = Decimal(row(bot, "BNB")["traded"]) if fees_in_bnb else Decimal(-1)
        assert fee < 0


def test_a_deposit_is_a_warning_until_a_person_accepts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, venue=OFTEN) as bot,
    ):
        until_compared(bot)
        run.exchange.deposit("USDT", Decimal(500))
        why = bot.until_why("the account holds 500 USDT more")
        assert "account --accept" in why
        assert bot.health()["verdict"] == "WARNING"
        assert bot.trades()
        until_compared(bot, "differs")

        bot.system.executor.tell(AcceptAccount(reason="deposit of 500 USDT"))
        bot.until_well()

        assert latest(bot)["baseline_why"] == "deposit of 500 USDT"
        assert bot.trades()
        until_compared(bot)


def test_a_difference_and_a_baseline_outlive_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run:
        with live_bot(run, tmp_path / "run", monkeypatch, venue=OFTEN) as bot:
            until_compared(bot)
            bot.trades()
        run.exchange.deposit("BTC", Decimal(-1))
        with live_bot(run, tmp_path / "run", monkeypatch, venue=OFTEN, is_well=False) as bot:
            bot.until_why("1 BTC less")
            assert latest(bot)["baseline_why"] == "the first start of this run directory"


def test_a_difference_halts_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halts = {"on_account_difference": "halt"}
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, venue=OFTEN, risk=halts) as bot,
    ):
        until_compared(bot)
        run.exchange.deposit("BTC", Decimal(1))
        bot.until(lambda: bot.executor.state is ActorState.HALTED)

        assert "1 BTC more" in bot.health()["why"]


def test_open_orders_of_others_are_seen_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run:
        person = ccxt.binance(run.ccxt_config(number=str))
        by_hand = person.create_order("BTC/USDT", "limit", "buy", "0.01", "40000")
        with live_bot(run, tmp_path / "run", monkeypatch, venue=OFTEN) as bot:
            ours = bot.decide(limit_price="41000")
            bot.until_state(ours, OrderState.ACCEPTED)
            until_compared(bot)

            found = [order["venue_order_id"] for order in latest(bot)["foreign_orders"]]
            assert found == [by_hand["id"]]
            bot.until_well()
        assert len(run.exchange.open_orders()) == 2


def test_nothing_is_said_while_an_order_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is lost, and it is filled: the balance knows, the ledger does not."""
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, venue=OFTEN) as bot,
    ):
        until_compared(bot)
        for operation in ("query", "open_orders", "all_orders"):
            run.exchange.arm(Plan(fault=Fault.SERVER_BUSY, operation=operation, times=None))
        run.exchange.strike_streams(StreamFault.STALL, "user")
        run.exchange.arm(Plan(fault=Fault.CLOSE_AFTER, operation="place"))
        key = bot.decide()
        bot.until_state(key, OrderState.UNKNOWN)
        bot.until(lambda: latest(bot).get("skipped") == "1 orders are under way")
        run.exchange.disarm()

        bot.until_state(key, OrderState.FILLED)
        until_compared(bot)
        assert "the account holds" not in bot.health()["why"]


def test_the_account_is_compared_after_the_stream_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, venue={"account_interval_s": 600}) as bot,
    ):
        bot.until(lambda: latest(bot)["state"] == "same")
        run.exchange.deposit("USDT", Decimal(7))
        run.exchange.strike_streams(StreamFault.DROP, "user")

        bot.until_why("7 USDT more")


def test_a_crashed_executor_takes_up_the_baseline_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, venue=OFTEN) as bot,
    ):
        until_compared(bot)
        bot.trades()
        began = latest(bot)["baseline_at_ns"]
        bot.system.executor.tell(InjectCrash(reason="a test"))
        bot.until(lambda: bot.executor.epoch == 2 and bot.executor.state is ActorState.RUNNING)

        assert until_compared(bot)["baseline_at_ns"] == began
