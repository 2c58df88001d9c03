"""An order that the venue cannot settle: a person does, by evidence."""

from decimal import Decimal
from pathlib import Path

import pytest

from messages.lifecycle import HaltTrading
from messages.values import OrderState as S
from persistence.ledger import read_events
from tests.actors.order_path import BTC, OrderPath, fill, key_of
from tests.actors.person_path import (
    LATER_S,
    NOT_SEEN,
    accepted,
    answer,
    answer_all,
    found,
    resolve,
    state_of,
    unknown,
)


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor that has begun, on an empty ledger."""
    return OrderPath(tmp_path).start()


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
