"""What marks have shown is known after a restart; a warm-up's old prices lose and win nothing."""

from decimal import Decimal
from pathlib import Path

import pytest

from decisions.risk import RiskLimits
from messages.ids import DAY_NS, NS_PER_S, ActorPath, TimestampNs
from messages.market import Candle, MarketBatch
from messages.values import OrderState as S
from tests.actors.order_path import BTC, OrderPath, fill

HOUR_NS = 3_600 * NS_PER_S
BEGIN_NS = 20 * DAY_NS + DAY_NS // 2
DRAWDOWN = RiskLimits(max_drawdown={"USDT": Decimal(20)})
DAILY = RiskLimits(max_daily_loss={"USDT": Decimal(20)})


def desk_at(folder: Path, limits: RiskLimits, start_ns: int = BEGIN_NS) -> OrderPath:
    age_ns = 60 * NS_PER_S
    return OrderPath(folder, limits=limits, max_decision_age_ns=age_ns, start_ns=start_ns).start()


def holding_one(folder: Path, limits: RiskLimits) -> OrderPath:
    """Bought at 100, and marked there."""
    desk = desk_at(folder, limits)
    desk.price("100").tell(desk.intent(1))
    return desk.tell(desk.report(1, S.FILLED, "1", (fill("1-1"),))).price("100").after(1)


def next_process(desk: OrderPath, limits: RiskLimits, *, killed: bool) -> OrderPath:
    if not killed:
        desk.stop()
    return desk_at(desk.path.parent, limits, desk.runtime.clock.utc_ns() + NS_PER_S)


def history(price: str, now_ns: int) -> MarketBatch:
    worth = Decimal(price)
    candles = [
        Candle(
            symbol=BTC,
            open=worth,
            high=worth,
            low=worth,
            close=worth,
            volume=Decimal(1),
            ts_open_ns=TimestampNs(now_ns - (ago + 1) * HOUR_NS),
            ts_event_ns=TimestampNs(now_ns - ago * HOUR_NS),
        )
        for ago in range(300, 100, -1)
    ]
    feed = ActorPath("feeds/x")
    return MarketBatch(feed=feed, first_index=0, events=tuple(candles), is_history=True)


@pytest.mark.parametrize("before", ["130", "70"])
@pytest.mark.parametrize("limits", [DRAWDOWN, DAILY], ids=["drawdown", "daily loss"])
def test_the_prices_before_a_purchase_are_no_loss_of_it(
    tmp_path: Path, before: str, limits: RiskLimits
) -> None:
    desk = next_process(holding_one(tmp_path, limits), limits, killed=False)

    desk.tell(history(before, desk.runtime.clock.utc_ns()))
    desk.price("100").tell(desk.intent(2))

    assert desk.order(2).state is S.SENT, desk.order(2).state_reason


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_a_drawdown_that_was_reached_between_two_orders_stays_reached(
    tmp_path: Path, killed: bool
) -> None:
    desk = holding_one(tmp_path, DRAWDOWN).price("150").after(3_600).price("110").after(3_600)

    desk = next_process(desk, DRAWDOWN, killed=killed).price("110")
    desk.tell(desk.intent(2))

    assert desk.order(2).state is S.REFUSED
    assert "down 40 USDT from a peak" in desk.order(2).state_reason


def test_nor_does_a_new_incarnation_forget_it(tmp_path: Path) -> None:
    desk = holding_one(tmp_path, DRAWDOWN).price("150").after(3_600).price("110").after(3_600)

    desk.start().price("110")
    desk.tell(desk.intent(2))

    assert desk.order(2).state is S.REFUSED


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize(
    ("night", "today", "state"),
    [("150", "110", S.REFUSED), ("60", "58", S.SENT)],
    ids=["lost today", "lost yesterday"],
)
def test_a_day_begins_with_what_was_there_at_midnight(
    tmp_path: Path, night: str, today: str, state: S, killed: bool
) -> None:
    desk = holding_one(tmp_path, DAILY).after(11 * 3_600).price(night)
    desk.after(2 * 3_600).price(night).after(5).price(today).after(5)

    desk = next_process(desk, DAILY, killed=killed).price(today)
    desk.tell(desk.intent(2))

    assert desk.order(2).state is state, desk.order(2).state_reason
