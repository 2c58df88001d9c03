"""An order that a person cancels: what is said of it is proved first."""

from decimal import Decimal
from pathlib import Path

import pytest

from actors.person_desk import ASKS_MAX
from messages.halting import CancelDone
from messages.lifecycle import TimerFired
from messages.values import OrderState as S
from tests.actors.order_path import BTC, OrderPath, fill, key_of
from tests.actors.person_path import (
    accepted,
    answer,
    cancel,
    canceled,
    found,
)


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor that has begun, on an empty ledger."""
    return OrderPath(tmp_path).start()


def test_an_open_order_is_canceled_and_the_venue_is_asked_before_it_is_said(
    desk: OrderPath,
) -> None:
    accepted(desk, filled="0.25")
    cancel(desk)
    report = desk.report(1, S.CANCELED, "0.25", (fill("1-1", "0.25"),))
    canceled(desk, report)
    assert desk.kept.board.answer("c") is None
    found(desk, report)

    assert answer(desk, "c") == (True, "canceled, 0.25 of 1 filled")
    assert desk.actor._desk._risk.exposure == {BTC: Decimal("0.25")}
    desk.tell(desk.intent(2))
    assert desk.order(2).state is S.SENT, "trading goes on"


def test_a_cancel_that_came_too_late_says_how_the_order_ended(desk: OrderPath) -> None:
    accepted(desk)
    cancel(desk)
    canceled(desk, None, "OutcomeUnknown: lost")
    found(desk, desk.report(1, S.FILLED, "1", (fill("1-1"),)))

    assert answer(desk, "c") == (True, "filled, 1 of 1 filled")


def test_an_order_that_is_still_open_is_said_to_be(desk: OrderPath) -> None:
    accepted(desk)
    cancel(desk)
    canceled(desk, None, "OutcomeUnknown: the cancel may still arrive")
    found(desk, desk.report(1, S.ACCEPTED))

    ok, text = answer(desk, "c")
    assert not ok
    assert "still open at the venue (accepted): OutcomeUnknown: the cancel may still" in text


def test_what_was_asked_before_the_cancel_was_answered_does_not_say_that_it_is_still_open(
    desk: OrderPath,
) -> None:
    """An order of unknown outcome is being asked for: that answer is older than the cancel's."""
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN))
    cancel(desk)

    found(desk, desk.report(1, S.ACCEPTED))
    assert desk.kept.board.answer("c") is None
    canceled(desk, None, "OutcomeUnknown: the answer was lost")
    found(desk, desk.report(1, S.CANCELED))

    assert answer(desk, "c") == (True, "canceled, 0 of 1 filled")


def test_nor_does_what_was_under_way_when_the_cancel_was_answered(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN))
    cancel(desk)
    canceled(desk, None, "OutcomeUnknown: the answer was lost")

    found(desk, desk.report(1, S.ACCEPTED))
    assert desk.kept.board.answer("c") is None
    found(desk, desk.report(1, S.ACCEPTED))

    assert answer(desk, "c") == (
        False,
        "it is still open at the venue (accepted): OutcomeUnknown: the answer was lost",
    )


def test_nor_does_the_answer_to_a_cancel_of_an_incarnation_that_is_gone(desk: OrderPath) -> None:
    accepted(desk)
    cancel(desk)
    before = desk.gateway.canceled[-1]
    desk.start()
    found(desk, desk.report(1, S.ACCEPTED))
    cancel(desk, request="again")
    late = CancelDone(order_key=before.key, epoch=before.epoch, report=None, problem="lost")
    desk.tell(late)

    found(desk, desk.report(1, S.ACCEPTED))
    assert desk.kept.board.answer("again") is None
    canceled(desk, desk.report(1, S.CANCELED))
    found(desk, desk.report(1, S.CANCELED))

    assert answer(desk, "again") == (True, "canceled, 0 of 1 filled")


def test_each_order_has_its_own_reason_why_it_is_still_open(desk: OrderPath) -> None:
    accepted(desk)
    desk.tell(desk.intent(2)).tell(desk.submitted(2, S.ACCEPTED))
    cancel(desk)
    canceled(desk, None, "the first one's reason")
    first = desk.gateway.asked[-1]
    cancel(desk, 2, "d")
    canceled(desk, None, "the second one's reason")

    found(desk, desk.report(2, S.ACCEPTED))
    desk.tell(desk.answer(first, desk.report(1, S.ACCEPTED)))

    assert answer(desk, "c")[1].endswith("the first one's reason")
    assert answer(desk, "d")[1].endswith("the second one's reason")


def test_a_venue_that_says_nothing_proves_nothing(desk: OrderPath) -> None:
    accepted(desk)
    cancel(desk)
    canceled(desk, None, "down")
    for _ in range(ASKS_MAX):
        found(desk, None, "down")
        desk.after(1.5)

    assert answer(desk, "c")[0] is False
    assert desk.order(1).state is S.ACCEPTED


def test_an_order_that_the_venue_has_no_more_is_said_to_be_a_persons_to_settle(
    desk: OrderPath,
) -> None:
    """Nobody asks for it again, so that the command waited its time out."""
    accepted(desk)
    cancel(desk)
    canceled(desk, None, "OutcomeUnknown: no such order")
    found(desk, None)

    assert answer(desk, "c") == (
        False,
        "the venue has no such order any more, which does not say how it ended: look at the"
        " exchange, then `watchkeeper orders resolve`",
    )
    assert desk.order(1).state is S.ACCEPTED


def test_one_that_it_has_no_more_may_be_so_by_the_cancel_whose_answer_is_waited_for(
    desk: OrderPath,
) -> None:
    """After a restart each open order is asked for; some exchanges forget what was canceled."""
    accepted(desk)
    desk.start()
    cancel(desk)

    found(desk, None)
    assert desk.kept.board.answer("c") is None
    canceled(desk, desk.report(1, S.CANCELED))
    found(desk, None)

    ok, text = answer(desk, "c")
    assert (ok, text.partition(";")[0]) == (True, "canceled, 0 of 1 filled")


def test_an_ended_order_is_not_canceled(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.FILLED, "1"))
    cancel(desk)

    assert answer(desk, "c") == (True, "it had ended already: filled, 1 of 1 filled")
    assert desk.gateway.canceled == []


def test_an_unknown_order_that_a_person_canceled_is_not_sent_again_also_after_a_restart(
    desk: OrderPath,
) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN))
    cancel(desk)
    canceled(desk, None, "OutcomeUnknown: not_seen: no order to cancel")

    desk.start()
    found(desk, None)
    desk.after(60)

    assert desk.sends(1) == 1
    assert desk.order(1).state is S.REFUSED
    assert desk.order(1).state_reason == "a person canceled it"


def test_an_order_that_waits_to_be_sent_again_is_refused(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.NOT_SENT))
    cancel(desk)
    found(desk, None)
    desk.after(60)

    assert answer(desk, "c") == (True, "refused, 0 of 1 filled")
    assert desk.sends(1) == 1


def test_a_message_that_is_not_for_an_executor_is_counted_and_harms_nobody(
    desk: OrderPath,
) -> None:
    desk.tell(TimerFired(name="of nobody"))

    assert dict(desk.runtime.dead_letters.counts) == {(desk.cell.path, "rejected"): 1}
    assert desk.cell.epoch == 1


def test_nobody_has_such_an_order(desk: OrderPath) -> None:
    cancel(desk, 7)

    assert answer(desk, "c") == (False, f"the ledger has no order {key_of(7)}")
