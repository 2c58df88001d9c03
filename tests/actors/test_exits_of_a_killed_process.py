"""What the next process makes of exits that waited, or had something to follow."""

from decimal import Decimal
from pathlib import Path

import pytest

from decisions.unfinished_exits import LEAVING, NOTHING_LEFT, Unfinished, unfinished_in
from messages.ids import StrategyId
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.exit_path import (
    SPOT,
    answer_of,
    leave,
    path,
    sold,
    with_most,
)
from tests.actors.order_path import key_of
from tests.actors.stopped_path import AGE_NS, Stopped
from tests.actors.support import Lines


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    return path(tmp_path)


def another_process(desk: Stopped) -> Stopped:
    """The one before was killed: it said and wrote nothing more."""
    return path(desk.path.parent)


def test_an_exit_that_an_earlier_process_left_open_is_told_if_it_fails(tmp_path: Path) -> None:
    """The position that its strategy begins with counts it as filled."""
    before = path(tmp_path)
    before.tell(before.intent(0))
    before.fills(0, "1", S.FILLED)
    leave(before)
    before.stop()

    desk = Stopped(tmp_path, max_decision_age_ns=AGE_NS, limits=SPOT).start()
    desk.tell(desk.answer(desk.gateway.asked[-1], desk.report(1, S.CANCELED)))

    assert "holds 1 BTC/USDT" in desk.cell.problem


def test_one_that_waited_when_its_process_was_killed_is_refused_by_the_next(
    desk: Stopped, lines: Lines
) -> None:
    """Its strategy begins with what it holds, so it is nobody's to send any more."""
    desk.tell(desk.intent(0))
    leave(desk)

    after = another_process(desk)
    after.tell(after.answer(after.gateway.asked[-1], after.report(0, S.FILLED, "1"))).rest()

    (told,) = lines.of("WARNING")
    assert told.startswith(f"the exit {key_of(1)} of 1 BTC/USDT by one waited for its entry when")
    assert after.order(1).state is S.REFUSED
    assert after.order(1).state_reason.startswith("process_ended: ")
    assert after.actor.inspect()["leaving"] == []
    assert after.cell.problem == ""
    assert sold(after) == []
    assert left_to_do(after) == NOTHING_LEFT


def test_so_it_is_where_its_strategy_manages_its_orders_by_now(desk: Stopped) -> None:
    """It was shown as leaving for as long as that process lived, and judged at each step."""
    desk.tell(desk.intent(0))
    leave(desk)

    after = path(desk.path.parent, managed=[StrategyId("one")])
    after.tell(after.answer(after.gateway.asked[-1], after.report(0, S.FILLED, "1"))).rest()

    assert after.order(1).state_reason.startswith("process_ended: ")
    assert after.actor.inspect()["leaving"] == []
    assert left_to_do(after) == NOTHING_LEFT


def test_it_is_refused_once_however_often_the_next_process_dies(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    leave(desk)

    between = another_process(desk)  # killed before it has settled the entry
    assert key_of(1) not in between.orders()
    after = another_process(between)
    after.tell(after.answer(after.gateway.asked[-1], after.report(0, S.FILLED, "1"))).rest()

    assert after.order(1).state_reason.startswith("process_ended: ")
    assert after.cell.problem == ""


def test_what_was_to_follow_is_told_by_the_next_process_as_far_as_it_is_held(
    desk: Stopped, lines: Lines
) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.answers(S.FILLED, "0.3")
    desk.fills(0, "0.5")
    assert left_to_do(desk).following[0].quantity == Decimal("0.5")

    after = another_process(desk)

    (told,) = [line for line in lines.of("WARNING") if "was to follow" in line]
    assert told.startswith(f"0.5 of BTC/USDT was to follow the exit {key_of(1)} of ")
    for asked in list(after.gateway.asked):
        found = after.orders()[asked.key]
        after.tell(after.answer(asked, answer_of(after, asked.key, S.FILLED, f"{found.quantity}")))
    assert sold(after) == []
    assert left_to_do(after) == NOTHING_LEFT


def test_of_two_exits_that_were_to_go_on_no_more_is_told_than_is_held(
    desk: Stopped, lines: Lines
) -> None:
    with_most(desk, "0.3")
    desk.enter()
    leave(desk, 1, "0.8")
    leave(desk, 2, "1")
    assert [one.quantity for one in left_to_do(desk).following] == [Decimal("0.4")] * 2

    another_process(desk)

    told = [line.split()[0] for line in lines.of("WARNING") if "was to follow" in line]
    assert told == ["0.4"]


def test_it_is_told_once_where_nothing_is_open_any_more(desk: Stopped, lines: Lines) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    ledger = SqliteLedger(desk.path)
    noted = ledger.note(LEAVING)
    ledger.close()
    desk.answers(S.FILLED, "0.3")
    desk.fills(0, "0.5", S.CANCELED)
    desk.answers(S.EXPIRED)
    ledger = SqliteLedger(desk.path)
    ledger.write((), (), 0, {LEAVING: noted or ""})  # as if it had been killed a step earlier
    ledger.close()

    another_process(desk)
    another_process(desk)

    assert len([line for line in lines.of("WARNING") if "was to follow" in line]) == 1


def test_nothing_is_noted_of_exits_that_are_done_at_once(desk: Stopped) -> None:
    desk.enter()
    leave(desk)
    desk.answers(S.FILLED, "1")

    assert note_of_exits(desk) is None


def test_nothing_is_noted_any_more_of_what_an_orderly_end_has_refused(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    leave(desk)

    desk.stop()

    assert desk.order(1).state is S.REFUSED
    assert left_to_do(desk) == NOTHING_LEFT


def test_what_another_exit_has_taken_is_to_follow_still_at_an_orderly_end(
    desk: Stopped, lines: Lines
) -> None:
    with_most(desk, "0.3")
    desk.tell(desk.intent(0))
    desk.fills(0, "0.5")
    leave(desk)
    leave(desk, 2, "0.2")  # takes what was free for the next one
    desk.tell(answer_of(desk, key_of(1), S.FILLED, "0.3"))

    desk.stop()

    (following,) = left_to_do(desk).following
    assert left_to_do(desk).waiting == ()
    assert following.quantity == Decimal("0.5")
    assert len(desk.orders()) == 3
    another_process(desk)
    assert any(line.startswith("0.5 of BTC/USDT was to") for line in lines.of("WARNING"))


def test_a_note_that_nobody_can_read_stops_nobody(desk: Stopped, lines: Lines) -> None:
    ledger = SqliteLedger(desk.path)
    ledger.write((), (), 0, {LEAVING: '{"waiting":"all"}'})
    ledger.close()

    after = another_process(desk)
    after.tell(after.intent(0))

    assert after.order(0).state is S.SENT
    assert any("watchkeeper positions" in line for line in lines.of("ERROR"))
    assert left_to_do(after) == NOTHING_LEFT


def left_to_do(desk: Stopped) -> Unfinished:
    return unfinished_in(note_of_exits(desk))


def note_of_exits(desk: Stopped) -> str | None:
    ledger = SqliteLedger(desk.path)
    try:
        return ledger.note(LEAVING)
    finally:
        ledger.close()
