"""What a live venue can do to a running bot: each ends in a named state and a sentence that helps.

Real ccxt, the whole system on threads, an exchange on loopback; a test decides in the place of
the strategy, so that each decision has its moment.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.alert_rules import AlertLimits, AlertRules
from decisions.halting import HaltState
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange, running_exchange
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, HaltTrading, InjectCrash
from messages.values import Instrument, OrderState, Side
from strategies.from_file import class_from_file
from tests.system.conftest import STRESS
from tests.system.live_bot import BTC, ETH, SILENT, Bot, live_bot

pytestmark = pytest.mark.slow

BOTH = (BTC, ETH)


def grids() -> list[Instrument]:
    """Give the grids that the strategies of this process were made with, the newest last."""
    made: list[Instrument] = vars(class_from_file(SILENT))["grids"]
    return made


def placements(run: RunningExchange) -> int:
    return len(run.exchange.requests(operation="place"))


def assert_halted(bot: Bot, *parts: str) -> None:
    """Trading is halted; health is critical and says why, in one sentence."""
    bot.until(lambda: bot.executor.state is ActorState.HALTED)
    health = bot.health()
    assert health["verdict"] == "CRITICAL"
    assert not health["ready"]
    for part in parts:
        assert part in health["why"]
    bot.assert_no_restart()


def assert_refused(bot: Bot, code: str, **order: Any) -> str:
    """Give the reason of a decision that is refused before it is sent."""
    entry = bot.until_state(bot.decide(**order), OrderState.REFUSED)
    assert entry.state_reason.startswith(f"{code}: "), entry.state_reason
    return entry.state_reason


def test_a_key_that_is_revoked_while_running_halts_trading_with_the_first_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        bot.trades()
        run.exchange.revoke_key()

        rejected = bot.until_state(bot.decide(), OrderState.REJECTED)

        assert rejected.state_reason.startswith("authentication: ")
        assert_halted(bot, "binance refuses the key (HTTP 401, code -2015)", "start it again")
        assert "refuses the key" in assert_refused(bot, "halted")
        assert placements(run) == 2


def test_a_revoked_key_on_a_question_proves_nothing_of_the_order_and_halts_trading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        for operation in ("query", "open_orders", "all_orders"):
            run.exchange.arm(Plan(fault=Fault.KEY_REVOKED, operation=operation, times=None))
        run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place"))
        run.exchange.arm_stream(
            StreamPlan(fault=StreamFault.DROPPED_EVENT, stream="user", times=None)
        )
        key = bot.decide()

        assert_halted(bot, "refuses the key")
        assert bot.until_state(key, OrderState.UNKNOWN)
        run.exchange.disarm()

        assert bot.until_state(key, OrderState.FILLED)
        assert run.exchange.doubled() == {}


def test_a_halt_for_the_key_survives_a_crash_of_the_executor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        run.exchange.revoke_key()
        bot.until_state(bot.decide(), OrderState.REJECTED)
        bot.until(lambda: bot.executor.state is ActorState.HALTED)
        bot.system.executor.tell(InjectCrash(reason="a test"))
        bot.until(lambda: bot.executor.epoch == 2 and bot.executor.state is ActorState.HALTED)

        assert "refuses the key" in bot.health()["why"]


def test_a_new_start_with_a_good_key_trades_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run:
        with live_bot(run, tmp_path / "run", monkeypatch) as bot:
            run.exchange.revoke_key()
            bot.until_state(bot.decide(), OrderState.REJECTED)
        run.exchange.revoke_key(is_revoked=False)
        with live_bot(run, tmp_path / "run", monkeypatch) as bot:
            assert bot.trades()


def test_a_key_without_trade_permission_halts_trading_with_the_first_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run:
        run.exchange.restrict_key()
        with live_bot(run, tmp_path / "run", monkeypatch) as bot:
            rejected = bot.until_state(bot.decide(), OrderState.REJECTED)

            assert rejected.state_reason.startswith("authentication: ")
            assert_halted(bot, "may trade spot")
            assert placements(run) == 1


def test_a_symbol_that_is_delisted_is_blocked_and_others_trade_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir, feed = tmp_path / "run", {"quiet_ms": 500}
    with (
        running_exchange(seed=3) as run,
        live_bot(run, run_dir, monkeypatch, BOTH, feed=feed) as bot,
    ):
        run.exchange.delist("BTC/USDT")
        rejected = bot.until_state(bot.decide(), OrderState.REJECTED)
        why = bot.until_why("BTC/USDT is blocked")
        sent = placements(run)

        assert rejected.state_reason.startswith("bad_symbol: ")
        assert "does not list it any more" in why
        assert bot.health()["verdict"] == "WARNING"
        again = bot.until_state(bot.decide(), OrderState.REJECTED)
        assert again.state_reason.startswith("market_closed: BTC/USDT is blocked")
        assert placements(run) == sent
        bot.until_why("feeds/feed:ccxt says: without BTC/USDT: not listed any more")
        assert bot.trades(ETH)
        bot.assert_no_restart()


def test_a_halt_cancels_the_orders_of_the_others_and_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first symbol that could not be listed had kept all of them from being canceled."""
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, BOTH) as bot,
    ):
        key = bot.decide(symbol=ETH, quantity="0.01", limit_price="2000")
        bot.until_state(key, OrderState.ACCEPTED)
        run.exchange.delist("BTC/USDT")

        bot.system.executor.tell(HaltTrading(reason="a test", durable=True, request="h"))

        bot.until(lambda: bot.system.board.halt.state == HaltState.HALTED_PROVED)
        bot.until_state(key, OrderState.CANCELED)
        assert run.exchange.open_orders("ETH/USDT") == []


def test_a_symbol_that_is_halted_is_blocked_until_it_trades_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.ccxt_conditions.RELOAD_S", 0.3)
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch, BOTH) as bot:
        run.exchange.halt("BTC/USDT")
        bot.until_state(bot.decide(), OrderState.REJECTED)
        bot.until_why("BTC/USDT is blocked: binance does not trade it now")
        run.exchange.halt("BTC/USDT", is_halted=False)
        bot.until_well()

        assert bot.trades()
        bot.assert_no_restart()


def test_a_tick_size_that_changes_costs_one_order_and_the_next_is_on_the_new_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        made = len(grids())
        run.exchange.set_tick("BTC/USDT", Decimal("0.5"))
        rejected = bot.until_state(bot.decide(limit_price="50000.01"), OrderState.REJECTED)
        bot.until(lambda: len(grids()) > made)

        assert rejected.state_reason.startswith("invalid_order: ")
        assert grids()[-1].price_tick == Decimal("0.5")
        assert "off the venue's tick 0.5" in assert_refused(bot, "off_grid", limit_price="50000.01")
        assert bot.until_state(bot.decide(limit_price="50000.5"), OrderState.ACCEPTED)
        assert len(run.exchange.requests(operation="exchange_info")) == 3  # two gates, one reload
        bot.until_well()
        bot.assert_no_restart()


@pytest.mark.parametrize(
    ("code", "order"),
    [
        ("min_notional", {"quantity": "0.00002"}),
        ("min_notional", {"quantity": "0.00002", "limit_price": "50000"}),
        ("off_grid", {"quantity": "0.000001"}),
    ],
)
def test_a_quantity_below_the_minimum_is_refused_before_its_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, order: dict[str, str]
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        assert "the venue's" in assert_refused(bot, code, **order)

        assert placements(run) == 0
        bot.until_well()
        assert bot.trades()


def test_a_minimum_that_is_raised_while_running_costs_one_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        made = len(grids())
        run.exchange.set_minimum("BTC/USDT", quantity=Decimal("0.1"))
        rejected = bot.until_state(bot.decide(), OrderState.REJECTED)
        bot.until(lambda: len(grids()) > made)

        assert rejected.state_reason.startswith("invalid_order: ")
        assert "below the venue's minimum 0.1" in assert_refused(bot, "min_quantity")
        assert placements(run) == 1


def test_a_buy_that_cannot_be_paid_for_stops_no_sale_and_no_other_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        bot.trades()
        run.exchange.deposit("USDT", -run.exchange.balances()["USDT"][0])
        rejected = bot.until_state(bot.decide(), OrderState.REJECTED)
        bot.until_why("too little USDT for a buy of BTC/USDT")
        assert rejected.state_reason.startswith("insufficient_funds: ")
        assert bot.health()["verdict"] == "WARNING"

        again = bot.until_state(bot.decide(), OrderState.REJECTED)
        assert "tried once a minute" in again.state_reason
        assert placements(run) == 2, "the third was not sent"
        bot.until_state(bot.decide(side=Side.SELL), OrderState.FILLED)

        run.exchange.deposit("USDT", Decimal(100_000))
        monkeypatch.setattr("exchanges.ccxt_conditions.MONEY_S", 0.0)  # the minute is over
        assert bot.trades()
        bot.until(lambda: "too little USDT" not in bot.health()["why"])


def test_a_sale_of_more_than_the_account_has_halts_until_a_person_has_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        bot.trades()
        run.exchange.deposit("BTC", -run.exchange.balances()["BTC"][0])
        rejected = bot.until_state(bot.decide(side=Side.SELL), OrderState.REJECTED)

        assert rejected.state_reason.startswith("insufficient_funds: ")
        assert_halted(bot, "too little BTC for a sale of BTC/USDT", "compare the balances")
        assert_refused(bot, "halted")


@pytest.mark.parametrize("page", [None, 200, 403, 502] if STRESS else [None, 200])
def test_an_exchange_that_is_away_is_sent_nothing_and_traded_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int | None
) -> None:
    """In maintenance, or with a page of HTML in its place."""
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch, BOTH) as bot:
        if page is None:
            run.exchange.set_maintenance(is_on=True)
        else:
            run.exchange.set_page(page)
        unknown = bot.decide()
        bot.until_state(unknown, OrderState.UNKNOWN)
        why = bot.until_why("nothing is sent until it answers again")
        paused = bot.decide(symbol=ETH, quantity="0.1", reference_price="3000")
        bot.until_state(paused, OrderState.NOT_SENT)

        assert ("is in maintenance" if page is None else "answers with a page") in why
        assert bot.health()["verdict"] == "WARNING"
        assert bot.executor.state is ActorState.RUNNING
        assert placements(run) == 1
        run.exchange.set_maintenance(is_on=False)
        run.exchange.set_page(None)

        # Each is proved absent: sent again, or given up where it is too old by then.
        assert bot.until_state(paused, OrderState.FILLED, OrderState.REFUSED)
        assert bot.until_state(unknown, OrderState.FILLED, OrderState.REFUSED)
        bot.until_well()
        assert bot.trades()
        assert run.exchange.doubled() == {}
        bot.assert_no_restart()


def test_a_single_page_after_an_order_leaves_it_to_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        run.exchange.arm(Plan(fault=Fault.HTML_BODY, operation="place"))

        assert bot.trades().side is Side.BUY
        bot.until_well()
        assert len(run.exchange.orders()) == 1


def test_one_symbol_that_falls_silent_is_an_alert_of_its_own_and_is_over_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feed is live and so is the other symbol; nothing but this tells of it."""
    limits = AlertLimits(stale_after_s=1)
    with (
        running_exchange(seed=3) as run,
        live_bot(run, tmp_path / "run", monkeypatch, BOTH) as bot,
    ):
        rules = AlertRules(limits)

        def stale() -> list[str]:
            found = rules.look(bot.health(), 0, ())
            return [one.key for one in found if one.rule == "stale"]

        bot.until(lambda: max(bot.health()["silent_s"].values()) < 1 and not stale())
        run.exchange.arm_stream(
            StreamPlan(fault=StreamFault.DROPPED_EVENT, stream="ethusdt@*", times=None)
        )
        bot.until(lambda: stale() == ["stale:symbol:ETH/USDT"])
        run.exchange.stream_faults.armed.clear()
        bot.until(lambda: stale() == [])


def test_an_exchange_that_wants_to_hear_nothing_is_told_of_and_asked_again_after_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every stream is live, no order fails, and no candle comes: nothing else tells of it."""
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        run.exchange.arm(Plan(fault=Fault.IP_BANNED, operation="place", retry_after_s=8))
        key = bot.decide()

        why = bot.until_why("binance wants to hear nothing for")
        assert "(HTTP 418: too many requests from this address)" in why
        assert "wants to hear nothing" in bot.health()["trading"]["btc"]["why"][0]
        bot.until_state(key, OrderState.REJECTED)
        bot.until_state(key, OrderState.REJECTED)
        bot.until_well()
        assert bot.trades().side is Side.BUY
        bot.assert_no_restart()


def test_a_market_that_is_behind_what_was_decided_already_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local exchange whose market ran faster begins at the machine's time when started again."""
    with running_exchange(seed=3) as run, live_bot(run, tmp_path / "run", monkeypatch) as bot:
        memory = bot.system.strategies["btc"].cell.arguments["kept"].memory
        memory.decided_until_ns = bot.system.runtime.clock.utc_ns() + 86_400 * NS_PER_S

        def says_so() -> bool:
            text = "the market of BTC/USDT is 24 h behind what an earlier process"
            return any(one.startswith(text) for one in bot.health()["trading"]["btc"]["why"])

        assert bot.until(says_so)
