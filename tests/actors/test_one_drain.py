"""What the venue said counts for a decision that waits behind it, also where both come at once."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from decisions.order_keys import order_key
from decisions.risk import RiskLimits
from messages.ids import NS_PER_S, AccountId, StrategyId, TimestampNs
from messages.values import OrderState as S
from messages.values import Side
from tests.actors.order_path import BTC, OrderPath, fill

AGE_NS = 60 * NS_PER_S


def desk_with(folder: Path, limits: RiskLimits) -> OrderPath:
    """An executor that has sent an order."""
    desk = OrderPath(folder, limits=limits, max_decision_age_ns=AGE_NS).start()
    return desk.price("100").tell(desk.intent(1))


def test_while_an_outcome_is_not_known_nothing_new_is_sent(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, RiskLimits())

    desk.tell(desk.submitted(1, S.UNKNOWN), desk.intent(2))

    assert (desk.order(1).state, desk.order(2).state) == (S.UNKNOWN, S.REFUSED)
    assert "unknown_outcome" in desk.order(2).state_reason


def test_a_loss_limit_that_a_fill_reaches_is_reached(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, RiskLimits(max_daily_loss={"USDT": Decimal(20)}))
    dear = msgspec.structs.replace(fill("x", "1", "150"), ts_event_ns=desk.runtime.clock.utc_ns())

    desk.tell(desk.report(1, S.FILLED, "1", (dear,)), desk.intent(2))

    assert desk.order(2).state is S.REFUSED


def test_an_order_that_has_ended_is_in_nobodys_way(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, RiskLimits(max_open_orders_per_symbol=1))
    desk.tell(desk.submitted(1, S.ACCEPTED))

    desk.tell(desk.report(1, S.FILLED, "1", (fill("x"),)), desk.intent(2))

    assert desk.order(2).state is S.SENT


def test_an_exit_of_what_has_just_filled_is_sent(tmp_path: Path) -> None:
    desk = desk_with(tmp_path, RiskLimits(allow_short=False))
    exit_ = desk.intent(2, Side.SELL, leaves=Decimal(1))

    desk.tell(desk.report(1, S.FILLED, "1", (fill("x"),)), exit_)

    assert desk.order(2).state is S.SENT


@pytest.mark.parametrize(
    "limits", [RiskLimits(max_orders_per_minute=1), RiskLimits(cooldown_ms=10_000)]
)
def test_an_order_of_the_same_moment_counts_after_a_restart(
    tmp_path: Path, limits: RiskLimits
) -> None:
    """Two strategies decide on one candle, and the executor falls between the two."""
    desk = OrderPath(tmp_path, limits=limits, max_decision_age_ns=AGE_NS).start()
    at_ns = TimestampNs(desk.runtime.clock.utc_ns())
    first, second = (order_key(AccountId("main"), StrategyId(one), BTC, at_ns, 0) for one in "ab")
    desk.price("100").tell(desk.intent(order_key=first, decided_at_ns=at_ns))

    desk.start()
    question = desk.gateway.asked[-1]
    shown = {"client_order_id": question.order.client_order_id}
    report = msgspec.structs.replace(desk.report(0, S.ACCEPTED), **shown)
    desk.tell(desk.answer(question, report))
    desk.price("100").tell(desk.intent(order_key=second, decided_at_ns=at_ns))

    assert desk.orders()[first].state is S.ACCEPTED
    assert desk.orders()[second].state is S.REFUSED
