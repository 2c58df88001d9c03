"""What marks have shown is known after a restart; a warm-up's old prices lose and win nothing."""

from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec
import pytest

from actors.risk_books import EQUITY
from decisions.risk import RiskLimits
from messages.errors import LedgerUnavailable
from messages.ids import DAY_NS, NS_PER_S, ActorPath, TimestampNs
from messages.lifecycle import HaltTrading
from messages.market import Candle, MarketBatch
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from persistence.stored_ledger import Write
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


def test_nor_are_those_before_the_first_purchase(tmp_path: Path) -> None:
    desk = desk_at(tmp_path, DRAWDOWN)
    desk.tell(history("130", desk.runtime.clock.utc_ns())).tell(desk.intent(1))
    bought = msgspec.structs.replace(fill("1-1"), ts_event_ns=desk.runtime.clock.utc_ns())

    desk.tell(desk.report(1, S.FILLED, "1", (bought,)))
    desk.price("100").tell(desk.intent(2))

    assert desk.order(2).state is S.SENT, desk.order(2).state_reason


def test_a_clock_that_is_set_back_hides_no_fall(tmp_path: Path) -> None:
    desk = holding_one(tmp_path, DRAWDOWN)
    clock = desk.runtime.clock
    ten_minutes_ns = 600 * NS_PER_S
    desk.cell.utc_ns = lambda: TimestampNs(clock.utc_ns() - ten_minutes_ns)

    desk.price("50").price("100").tell(desk.intent(2))

    assert desk.order(2).state is S.REFUSED
    assert "down 50 USDT from a peak" in desk.order(2).state_reason


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


class Counting(SqliteLedger):
    """Counts its commits, or refuses them."""

    commits = 0
    is_full = False

    def _commit(self, writes: Sequence[Write]) -> None:
        if type(self).is_full:
            raise LedgerUnavailable("disk full")
        type(self).commits += 1
        super()._commit(writes)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OrderPath:
    monkeypatch.setattr(Counting, "commits", 0)
    monkeypatch.setattr(Counting, "is_full", False)
    opened = partial(Counting, tmp_path / "ledger.db")
    return OrderPath(tmp_path, limits=DAILY, start_ns=BEGIN_NS, open_ledger=opened).start()


def test_while_nothing_is_held_no_price_is_worth_a_commit(counted: OrderPath) -> None:
    before = Counting.commits

    for price in range(100, 130):
        counted.price(str(price)).after(1)

    assert Counting.commits == before


def test_a_disk_that_refuses_what_can_wait_ends_nothing_and_a_halt_is_kept_once_there_is_room(
    counted: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted.price("100").tell(counted.intent(1))
    counted.tell(counted.report(1, S.FILLED, "1", (fill("1-1"),)))

    monkeypatch.setattr(Counting, "is_full", True)
    counted.tell(HaltTrading(reason="look", durable=True, request="h"))
    for price in range(100, 112):
        counted.price(str(price)).after(1)
    assert counted.cell.last_error == ""
    monkeypatch.setattr(Counting, "is_full", False)
    counted.after(12)

    with closing(SqliteLedger(counted.path)) as ledger:
        assert ledger.halt_reason() is not None
        assert "111" in (ledger.note(EQUITY) or "")
