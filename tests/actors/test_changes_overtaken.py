"""The end of an order, and another in its place, overtaken by people, full disks and deaths."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.errors import ActorUnavailable, LedgerFenced, LedgerLost
from messages.halting import CancelOrder, ResumeTrading
from messages.ids import OrderKey
from messages.lifecycle import HaltTrading
from messages.orders import OrderReport
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

BY_A_PERSON = CancelOrder(request="test", order_key=key_of(1))


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


def dies_at(monkeypatch: pytest.MonkeyPatch, number: int, *, after: bool = False) -> None:
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (number, after))


def answered(desk: OrderPath, reports: dict[OrderKey, OrderReport | None]) -> None:
    """Answer all questions that wait for one of these orders."""
    asked, desk.gateway.asked[:] = desk.gateway.asked[:], []
    for one in asked:
        if one.key in reports:
            desk.tell(desk.answer(one, reports[one.key]))


# ------------------------------------------------------------ a person was there first


def refused(desk: OrderPath) -> None:
    assert (desk.order(2).state, desk.sends(2)) == (S.REFUSED, 0)
    assert "a person canceled" in desk.order(2).state_reason


def test_nothing_takes_the_place_of_one_that_a_person_is_canceling(desk: OrderPath) -> None:
    """Its strategy has not heard of it."""
    desk.tell(BY_A_PERSON)
    desk.tell(replacing(desk))

    canceled(desk, desk.report(1, S.CANCELED)).after(60)

    assert desk.order(1).state is S.CANCELED
    refused(desk)


def test_nor_of_one_that_has_ended_by_it(desk: OrderPath) -> None:
    desk.tell(BY_A_PERSON)
    canceled(desk, desk.report(1, S.CANCELED))

    desk.tell(replacing(desk))

    refused(desk)


def test_nor_with_the_next_executor(desk: OrderPath) -> None:
    desk.tell(BY_A_PERSON)
    desk.start().tell(replacing(desk))

    found(desk, desk.report(1, S.CANCELED)).after(60)

    refused(desk)


@pytest.mark.parametrize("is_first", [True, False])
def test_nor_where_its_strategy_wanted_it_ended_too(desk: OrderPath, is_first: bool) -> None:
    """The person's word is not lost under the strategy's."""
    both = (BY_A_PERSON, ending(desk)) if is_first else (ending(desk), BY_A_PERSON)
    for one in both:
        desk.tell(one)

    desk.tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED)).after(60)

    refused(desk)


# ------------------------------------------------------------ a disk that is full


def test_what_a_halt_could_not_refuse_any_more_is_refused_though_trading_goes_on(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The halt was durable, the refusal was not; and the first thing that is heard is `resume`."""
    mortal.tell(replacing(mortal))
    dies_at(monkeypatch, 2)
    mortal.tell(HaltTrading(reason="a person says so", durable=True))
    assert key_of(2) not in mortal.orders()
    mortal.address.tell(ResumeTrading(request="test", despite_open=True))

    revive(mortal)
    found(mortal, mortal.report(1, S.CANCELED)).after(5)

    assert (mortal.order(2).state, mortal.sends(2)) == (S.REFUSED, 0)


def test_a_wish_to_end_that_struck_its_executor_is_taken_once_more(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the order would stay where its strategy does not want it, and nobody would know."""
    dies_at(monkeypatch, 1)
    mortal.tell(ending(mortal))
    assert not cancels(mortal)

    revive(mortal)

    assert cancels(mortal) == 1
    assert cancels(mortal.start()) == 1, "and then it is durable, as any"
    found(mortal, mortal.report(1, S.ACCEPTED))
    assert cancels(mortal) == 2


@pytest.mark.parametrize("after", [False, True])
def test_one_that_fails_again_is_told_of_and_may_be_wished_again(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    dies_at(monkeypatch, 1)
    mortal.tell(ending(mortal))
    told(mortal, 1)
    dies_at(monkeypatch, 1, after=after)

    revive(mortal)
    found(mortal, mortal.report(1, S.ACCEPTED)).after(60)

    assert not cancels(mortal)
    assert told(mortal, 1) == [S.ACCEPTED]
    assert "was to end" in (mortal.cell.problem or "")
    mortal.tell(ending(mortal, order_key=key_of(98)))
    assert cancels(mortal) == 1
    assert not mortal.cell.problem


@pytest.mark.parametrize("lost_by", [LedgerLost, LedgerFenced, ActorUnavailable])
def test_one_whose_ledger_is_lost_meanwhile_is_taken_by_the_start_after(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch, lost_by: type[Exception]
) -> None:
    """To a server that is away, another process or a newer executor: no fault of the wish."""
    dies_at(monkeypatch, 1)
    mortal.tell(ending(mortal))

    fails_to_start(mortal, monkeypatch, at="_commit", error=lost_by)
    revive(mortal)

    assert cancels(mortal) == 1


# ------------------------------------------------------------ one death after another


def test_what_was_given_up_while_all_was_settled_is_refused_by_the_next_executor(
    desk: OrderPath,
) -> None:
    """It went without a word: over, so not to be sent, and judged again as if it still waited."""
    small = Decimal("0.1")
    desk.tell(limit(desk, 3, "50", quantity=small), limit(desk, 4, "50", quantity=small))
    desk.tell(replacing(desk)).start()
    three, four = (desk.report(number, S.ACCEPTED) for number in (3, 4))
    answered(desk, {key_of(1): None, key_of(3): three})
    assert key_of(2) not in desk.orders()

    desk.start()
    answered(desk, {key_of(1): desk.report(1, S.ACCEPTED), key_of(3): three, key_of(4): four})
    desk.after(60)

    assert desk.order(2).state is S.REFUSED
    assert told(desk, 2) == [S.REFUSED]
    assert not desk.actor._replacements.has(key_of(2))


def fails_to_start(
    desk: OrderPath,
    monkeypatch: pytest.MonkeyPatch,
    *,
    at: str,
    after: int = 0,
    error: type[Exception] = LedgerLost,
) -> None:
    """Begin an incarnation whose ledger is lost while it looks at what there is."""
    looks, look = [0], getattr(Dying, at)

    def fails(ledger: Dying, *rest: Any) -> Any:
        looks[0] += 1
        if looks[0] > after:
            raise error("test")
        return look(ledger, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Dying, at, fails)
        assert desk.runtime.start(desk.cell).problem
    desk.rest()


def test_a_step_is_told_also_where_the_start_after_it_fails(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies_at(monkeypatch, 1, after=True)
    mortal.tell(mortal.report(1, S.CANCELED, "0.4"))

    fails_to_start(mortal, monkeypatch, at="lookup")
    revive(mortal)

    assert told(mortal, 1)[-1] is S.CANCELED
    assert told(mortal.start(), 1) == []


def test_so_is_what_became_of_a_decision_that_struck_its_executor(
    mortal: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third look is for that decision."""
    dies_at(monkeypatch, 1)
    mortal.tell(replacing(mortal))

    fails_to_start(mortal, monkeypatch, at="lookup", after=2)
    revive(mortal)

    assert told(mortal, 2) == [S.REFUSED]
    assert told(mortal.start(), 2) == []
