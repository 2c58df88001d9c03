"""An executor that dies in the middle of ending or replacing an order, and what it leaves."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from decisions.order_wishes import CANCELS
from messages.errors import LedgerLost
from messages.halting import CancelOrder
from messages.lifecycle import ActorState
from messages.values import OrderState as S
from tests.actors.changing import (
    AGE_NS,
    OPEN,
    Dying,
    canceled,
    cancels,
    ending,
    found,
    limit,
    replacing,
    revive,
    told,
    with_one,
)
from tests.actors.order_path import OrderPath, key_of


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor on a live market that has one order open, of 1 BTC at 100."""
    return with_one(OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS))


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OrderPath:
    path = tmp_path / "ledger.db"
    monkeypatch.setattr(Dying, "dies", None)
    made = OrderPath(
        tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS, open_ledger=lambda: Dying(path)
    )
    return with_one(made)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 6))
def test_a_commit_that_fails_loses_neither_the_end_nor_the_second(
    mortal: OrderPath, number: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another order moves in the commit of the first's end, as it may at any time."""
    desk = mortal
    desk.tell(limit(desk, 3, "50", quantity=Decimal("0.1")))
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (number, after))
    intent = replacing(desk)
    for messages in (
        (intent, ending(desk, 3)),
        (desk.submitted(3, S.NOT_SENT), desk.report(1, S.CANCELED, "0.4")),
        (intent,),
    ):
        desk.tell(*messages)
        revive(desk)
    for _ in range(3):
        asked, desk.gateway.asked[:] = desk.gateway.asked[:], []
        for one in asked:
            ended = desk.report(1, S.CANCELED, "0.4") if one.key == key_of(1) else None
            desk.tell(desk.answer(one, ended))
            revive(desk)
        desk.tell(intent, ending(desk, 3)).after(2)
        desk.tell(desk.submitted(3, S.NOT_SENT))
        revive(desk)

    assert desk.order(1).state is S.CANCELED
    assert (desk.order(2).quantity, desk.order(3).state) == (Decimal("0.6"), S.REFUSED)
    assert {one.order.quantity for one in desk.gateway.sent if one.key == key_of(2)} <= {
        Decimal("0.6")
    }


def test_what_waits_for_its_claim_outlives_a_commit_of_another_order(
    desk: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note of what waits is written with each commit: also between the end and the claim."""
    desk.tell(limit(desk, 3, "50", quantity=Decimal("0.1")), replacing(desk))
    with monkeypatch.context() as patch:
        patch.setattr(type(desk.actor), "_when_settled", lambda _: None)
        canceled(desk, desk.report(1, S.CANCELED))
        desk.tell(desk.submitted(3, S.ACCEPTED), ending(desk, 3))
    assert key_of(2) not in desk.orders()

    desk.start()
    for asked in desk.gateway.asked[-1:]:
        desk.tell(desk.answer(asked, desk.report(3, S.ACCEPTED)))
    desk.after(1)

    assert desk.sends(2) == 1


def test_a_strategy_is_told_of_a_step_whose_telling_an_executor_did_not_survive(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold the order for open, and what is left of it for its position, for ever."""
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, True))
    mortal.tell(mortal.report(1, S.CANCELED, "0.4"))
    assert S.CANCELED not in told(mortal, 1)

    revive(mortal)

    assert told(mortal, 1) == [S.CANCELED]
    mortal.start()
    assert told(mortal, 1) == []


def test_nor_does_one_that_was_given_up_in_its_commit_take_it_for_told(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes up behind the fence, where nobody hears what it tells."""
    moved = type(mortal.actor._desk)._moved

    def behind_the_fence(desk: Any, *rest: Any, **more: Any) -> None:
        mortal.runtime.fence(mortal.cell)
        moved(desk, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(type(mortal.actor._desk), "_moved", behind_the_fence)
        mortal.tell(mortal.report(1, S.CANCELED, "0.4"))

    mortal.start()

    assert told(mortal, 1)[-1] is S.CANCELED


def test_a_ledger_that_is_away_while_the_wish_is_written_is_waited_for(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "error", LedgerLost)
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, False))
    mortal.tell(replacing(mortal))
    assert cancels(mortal) == 0
    mortal.tell(CancelOrder(request="test", order_key=key_of(7)))
    assert mortal.cell.state is ActorState.RECONCILING, "whoever asks for something meanwhile"

    mortal.after(2)
    revive(mortal)
    found(mortal, mortal.report(1, S.ACCEPTED)).after(3)
    canceled(mortal, mortal.report(1, S.CANCELED, "0.3"))

    assert mortal.gateway.sent[-1].order.quantity == Decimal("0.7")


def test_the_answer_to_a_cancel_of_an_executor_that_died_counts(desk: OrderPath) -> None:
    desk.tell(replacing(desk)).start()

    canceled(desk, desk.report(1, S.CANCELED, "0.2"))
    assert desk.sends(2) == 1
    for asked in desk.gateway.asked:
        desk.tell(desk.answer(asked, desk.report(1, S.CANCELED, "0.2")))

    assert desk.sends(2) == 1
    assert desk.order(2).quantity == Decimal("0.8")


def test_a_wish_while_all_is_asked_for_waits_and_is_one(desk: OrderPath) -> None:
    desk.start().tell(replacing(desk), ending(desk), replacing(desk))
    assert cancels(desk) == 0

    found(desk, desk.report(1, S.PARTIALLY_FILLED, "0.5"))
    assert (cancels(desk), desk.sends(2)) == (1, 0)
    canceled(desk, desk.report(1, S.CANCELED, "0.5"))

    assert (cancels(desk), desk.sends(2)) == (1, 1)


def test_a_new_process_may_replace_what_the_one_before_was_replacing(
    desk: OrderPath, tmp_path: Path
) -> None:
    desk.tell(replacing(desk))
    later = OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS).start()
    found(later, later.report(1, S.ACCEPTED))
    assert later.order(2).state is S.REFUSED

    later.tell(replacing(later, 3))
    canceled(later, later.report(1, S.CANCELED))

    assert (later.sends(2), later.sends(3)) == (0, 1)


def test_a_note_that_cannot_be_read_is_a_difference_and_nothing_is_sent(
    desk: OrderPath, tmp_path: Path
) -> None:
    desk.tell(replacing(desk))
    desk.inside(lambda one: one._book.write((), (), 1, {CANCELS: '[{"order_key": 5}]'}))

    later = OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS).start()
    found(later, later.report(1, S.ACCEPTED))

    assert "cannot be read" in (later.cell.problem or "")
    assert later.sends(2) == 0
    assert later.cell.state is ActorState.RUNNING


def test_what_is_over_is_not_remembered(desk: OrderPath) -> None:
    desk.tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED))

    assert not desk.kept.replacing
    assert not desk.actor._desk.unwanted
    assert not desk.actor._cancels.waits
    assert not desk.kept.telling


# ------------------------------------------------------------ a decision that is nobody's any more


def test_a_decision_that_struck_its_executor_is_told_to_have_come_to_nothing(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or its strategy would hold the first for replaced, and never touch it again."""
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, False))
    mortal.tell(replacing(mortal))
    told(mortal, 2)

    revive(mortal)

    assert told(mortal, 2) == [S.REFUSED]
    assert key_of(2) not in mortal.orders()
    assert told(mortal.start(), 2) == []


@pytest.mark.parametrize("replaces", [True, False])
def test_one_that_was_durable_by_then_is_not(
    mortal: OrderPath, replaces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, True))
    mortal.tell(replacing(mortal) if replaces else limit(mortal, 2, quantity=Decimal("0.1")))

    revive(mortal)

    assert S.REFUSED not in told(mortal, 2)


def test_nor_is_one_that_waits_for_the_ledger_to_come_back(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "error", LedgerLost)
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, False))
    mortal.tell(replacing(mortal)).after(2)

    revive(mortal)
    found(mortal, mortal.report(1, S.ACCEPTED)).after(1)

    assert told(mortal, 2) == []
    assert mortal.actor._replacements.has(key_of(2))
