"""One order at a person's word: canceled and proved, or settled where the venue cannot."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.person_desk import ASKS_MAX
from decisions.resolving import WAIT_NS
from messages.halting import CancelDone, CancelOrder, OpenListed, ResolveOrder
from messages.ids import NS_PER_S
from messages.lifecycle import HaltTrading, TimerFired
from messages.orders import OrderIntent, OrderReport
from messages.values import OrderState as S
from persistence.ledger import read_events
from tests.actors.order_path import BTC, OrderPath, fill, key_of

LATER_S = WAIT_NS / NS_PER_S + 1
NOT_SEEN = "OutcomeUnknown: not_seen: the venue shows no such order, which is never proof"


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor that has begun, on an empty ledger."""
    return OrderPath(tmp_path).start()


def cancel(desk: OrderPath, number: int = 1, request: str = "c") -> None:
    desk.tell(CancelOrder(request=request, order_key=key_of(number)))


def canceled(desk: OrderPath, report: OrderReport | None, problem: str = "") -> None:
    call = desk.gateway.canceled[-1]
    done = CancelDone(order_key=call.key, epoch=call.epoch, report=report, problem=problem)
    desk.tell(done)


def found(desk: OrderPath, report: OrderReport | None, problem: str = "") -> None:
    desk.tell(desk.answer(desk.gateway.asked[-1], report, problem))


def resolve(desk: OrderPath, to: S, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "request": "r",
        "order_key": key_of(1),
        "filled_quantity": None,
        "price": None,
        "evidence": "seen on the exchange's page",
        "unasked": False,
    }
    desk.tell(ResolveOrder(to=to, **fields | changes))


def answer(desk: OrderPath, request: str) -> tuple[bool, str]:
    told = desk.kept.board.answer(request)
    assert told is not None, "no answer yet"
    return told.ok, told.text


def accepted(desk: OrderPath, filled: str = "0") -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.ACCEPTED))
    if Decimal(filled):
        desk.tell(desk.report(1, S.PARTIALLY_FILLED, filled, (fill("1-1", filled),)))


def unknown(desk: OrderPath) -> OrderIntent:
    """An order whose outcome nobody knows, sent long ago; gives its decision."""
    decided = desk.intent(1)
    desk.tell(decided).tell(desk.submitted(1, S.UNKNOWN))
    found(desk, None, NOT_SEEN)
    desk.after(LATER_S)
    return decided


# ------------------------------------------------------------------ cancel


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


# ------------------------------------------------------------------ resolve


def test_what_the_venue_can_never_settle_is_settled_on_a_persons_evidence(
    desk: OrderPath,
) -> None:
    decided = unknown(desk)
    resolve(desk, S.REFUSED)
    found(desk, None, NOT_SEEN)

    assert answer(desk, "r") == (True, "resolved: refused, 0 of 1 filled")
    steps = [(e.to_state, e.evidence) for e in read_events(desk.path, key_of(1))][-2:]
    said = "person: seen on the exchange's page"
    assert steps == [(S.NOT_SENT, said), (S.REFUSED, said)]
    desk.tell(decided).after(60)
    assert desk.sends(1) == 1, "a resolution never leads to a send"
    assert desk.actor._desk._risk.exposure.get(BTC, 0) == 0


def test_a_resolved_fill_is_an_execution_and_part_of_the_position(desk: OrderPath) -> None:
    accepted(desk, filled="0.25")
    desk.after(LATER_S)
    resolve(desk, S.FILLED, price=Decimal(104))
    found(desk, None, NOT_SEEN)

    order = desk.order(1)
    assert (order.state, order.filled_quantity) == (S.FILLED, Decimal(1))
    assert order.average_price == Decimal(103)
    fills = desk.inside(lambda one: one._book.fills_of(key_of(1)))
    assert sum(one.quantity for one in fills) == 1
    assert desk.actor._desk._risk.exposure == {BTC: Decimal(1)}


def test_what_the_venue_settles_is_not_a_persons_to_settle(desk: OrderPath) -> None:
    unknown(desk)
    resolve(desk, S.REFUSED)
    found(desk, desk.report(1, S.FILLED, "1", (fill("1-1"),)))

    assert answer(desk, "r") == (
        False,
        "the venue settled it, so nothing was resolved: filled, 1 of 1 filled",
    )
    assert desk.order(1).state is S.FILLED


def test_an_order_that_the_venue_shows_open_is_not_resolved(desk: OrderPath) -> None:
    unknown(desk)
    resolve(desk, S.CANCELED)
    found(desk, desk.report(1, S.ACCEPTED))

    assert answer(desk, "r") == (False, "the venue shows it open (accepted): cancel it instead")
    assert desk.order(1).state is S.ACCEPTED


def test_an_absence_that_the_venue_proves_meanwhile_is_not_sent_again(desk: OrderPath) -> None:
    unknown(desk)
    resolve(desk, S.REFUSED)
    found(desk, None)
    desk.after(60)

    assert answer(desk, "r")[0]
    assert (desk.order(1).state, desk.sends(1)) == (S.REFUSED, 1)


def test_a_venue_that_does_not_answer_must_be_given_up_in_so_many_words(desk: OrderPath) -> None:
    unknown(desk)
    resolve(desk, S.CANCELED)
    found(desk, None, "OutcomeUnknown: no_answer: no connection")
    assert answer(desk, "r")[0] is False
    assert desk.order(1).state is S.UNKNOWN

    resolve(desk, S.CANCELED, unasked=True, request="r2")
    desk.after(1.5)
    found(desk, None, "OutcomeUnknown: no_answer: no connection")
    assert answer(desk, "r2") == (True, "resolved: canceled, 0 of 1 filled")


def test_what_the_venue_will_prove_by_itself_is_waited_for(desk: OrderPath) -> None:
    unknown(desk)
    resolve(desk, S.REFUSED, unasked=True)
    found(desk, None, "OutcomeUnknown: not_seen: no proof yet; ask again in 500.0 s")

    ok, text = answer(desk, "r")
    assert not ok
    assert "the venue will prove it itself" in text
    assert desk.order(1).state is S.UNKNOWN


def test_an_accepted_order_that_the_venue_has_no_more_is_a_persons_to_settle(
    desk: OrderPath,
) -> None:
    """The venue forgets old orders: the ledger can never learn how they ended."""
    accepted(desk)
    resolve(desk, S.CANCELED)
    found(desk, None)

    assert answer(desk, "r") == (True, "resolved: canceled, 0 of 1 filled")


def test_what_was_sent_a_moment_ago_is_not_resolved(desk: OrderPath) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN))
    resolve(desk, S.REFUSED)

    ok, text = answer(desk, "r")
    assert not ok
    assert "may still arrive" in text


def test_a_report_after_a_resolution_moves_nothing(desk: OrderPath) -> None:
    unknown(desk)
    resolve(desk, S.REFUSED)
    found(desk, None, NOT_SEEN)

    desk.tell(desk.report(1, S.FILLED, "1", (fill("1-1"),)))

    assert desk.order(1).state is S.REFUSED


def test_a_halt_that_waited_for_a_persons_word_is_proved_after_it(desk: OrderPath) -> None:
    """The venue has no such order any more, and the ledger cannot say how it ended."""
    accepted(desk)
    desk.tell(HaltTrading(reason="stop", durable=True))
    for _ in range(40):
        desk.after(1)
        answer_all(desk)
        if state_of(desk) == "halted_unproved":
            break
    assert state_of(desk) == "halted_unproved"
    assert key_of(1) in desk.kept.board.halt.text

    resolve(desk, S.CANCELED)
    found(desk, None)
    for _ in range(10):
        desk.after(1)
        answer_all(desk)

    assert state_of(desk) == "halted_proved"


def state_of(desk: OrderPath) -> str:
    return desk.kept.board.halt.state


def answer_all(desk: OrderPath) -> None:
    """As a venue that is well and knows nothing of the order."""
    gateway = desk.gateway
    canceled_calls, gateway.canceled = gateway.canceled, []
    asked, gateway.asked = gateway.asked, []
    listed, gateway.listed = gateway.listed, []
    for call in canceled_calls:
        done = CancelDone(order_key=call.key, epoch=call.epoch, report=None, problem="no order")
        desk.tell(done)
    for call in asked:
        desk.tell(desk.answer(call, None))
    for epoch, question, _ in listed:
        desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem=""))
