"""What is filled, and not yet told of in executions, is asked for until it is."""

from pathlib import Path

import pytest

from actors.executions import MOST_ASKED
from decisions.risk import RiskLimits
from messages.ids import NS_PER_S
from messages.values import OrderState as S
from tests.actors.order_path import BTC, OrderPath, fill, key_of

AGE_NS = 3_600 * NS_PER_S


def new_desk(folder: Path) -> OrderPath:
    limits = RiskLimits(max_orders_per_minute=10_000)
    return OrderPath(folder, limits=limits, max_decision_age_ns=AGE_NS).start()


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor on a live market, whose order 1 is filled by a report without executions."""
    desk = new_desk(tmp_path)
    return desk.tell(desk.intent(1)).tell(desk.submitted(1, S.FILLED, "1"))


def known(desk: OrderPath, number: int = 1) -> list[str]:
    return [one.trade_id for one in desk.inside(lambda it: it._book.fills_of(key_of(number)))]


def filled_by(desk: OrderPath, *trades: tuple[str, str]) -> None:
    fills = tuple(fill(*trade) for trade in trades)
    report = desk.report(1, S.FILLED, "1", fills)
    desk.tell(desk.answer(desk.gateway.asked[-1], report))


def test_what_the_stream_does_not_tell_in_time_is_asked_for(desk: OrderPath) -> None:
    assert not desk.gateway.asked
    desk.after(31)

    filled_by(desk, ("t1", "0.4"), ("t2", "0.6"))

    assert known(desk) == ["t1", "t2"]
    assert desk.sends(1) == 1


def test_a_next_process_asks_for_what_the_last_one_was_owed(
    desk: OrderPath, tmp_path: Path
) -> None:
    desk.tell(desk.report(1, S.FILLED, "1", (fill("t1", "0.4"),)))
    desk.stop()
    later = new_desk(tmp_path)

    assert [one.key for one in later.gateway.asked] == [key_of(1)]
    filled_by(later, ("t1", "0.4"), ("t2", "0.6"))

    assert known(later) == ["t1", "t2"]
    assert later.inside(lambda it: it._book.exposure()) == {BTC: 1}


def test_once_all_is_told_nobody_is_asked(desk: OrderPath, tmp_path: Path) -> None:
    desk.after(31)
    filled_by(desk, ("t1", "1"))
    asked = len(desk.gateway.asked)

    desk.after(7_200)
    desk.stop()

    assert len(desk.gateway.asked) == asked
    assert not new_desk(tmp_path).gateway.asked


def test_an_exchange_that_never_tells_is_asked_ever_less_often(desk: OrderPath) -> None:
    desk.after(86_400)

    assert 20 < len(desk.gateway.asked) < 40


def test_a_failed_question_changes_nothing_and_is_asked_again(desk: OrderPath) -> None:
    desk.after(31)
    desk.tell(desk.answer(desk.gateway.asked[-1], None, "no answer"))
    desk.after(61)
    filled_by(desk, ("t1", "1"))

    assert known(desk) == ["t1"]
    assert desk.order(1).state is S.FILLED


def test_an_order_that_the_exchange_has_forgotten_stays_filled(desk: OrderPath) -> None:
    desk.after(31)
    desk.tell(desk.answer(desk.gateway.asked[-1], None))

    assert desk.order(1).state is S.FILLED
    assert desk.sends(1) == 1
    assert not desk.cell.last_error


def test_many_that_owe_are_asked_for_in_portions(desk: OrderPath) -> None:
    for number in range(2, MOST_ASKED + 10):
        desk.tell(desk.intent(number)).tell(desk.submitted(number, S.FILLED, "1"))
    desk.after(31)

    assert len(desk.gateway.asked) == MOST_ASKED


def test_a_canceled_order_may_owe_what_was_filled_before(tmp_path: Path) -> None:
    desk = new_desk(tmp_path)
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.CANCELED, "0.3")).stop()
    later = new_desk(tmp_path)
    report = later.report(1, S.CANCELED, "0.3", (fill("t1", "0.3"),))

    later.tell(later.answer(later.gateway.asked[-1], report))

    assert known(later) == ["t1"]


def test_a_replay_asks_nobody(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path).start()
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.FILLED, "1"))
    desk.stop()

    assert not OrderPath(tmp_path).start().gateway.asked
