"""An order at its strategy's word: ended, proved by asking, and only then replaced."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.cancel_desk import PAUSES_NS
from messages.halting import CancelDone, CancelOrder
from messages.ids import NS_PER_S, StrategyId
from messages.lifecycle import HaltTrading
from messages.values import OrderState as S
from messages.values import Side
from tests.actors.changing import (
    AGE_NS,
    OPEN,
    canceled,
    cancels,
    ending,
    found,
    limit,
    replacing,
    with_one,
)
from tests.actors.order_path import OrderPath, key_of


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor on a live market that has one order open, of 1 BTC at 100."""
    return with_one(OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS))


# ------------------------------------------------------------ an end


def test_an_open_order_is_canceled_and_ends_by_what_the_venue_says(desk: OrderPath) -> None:
    desk.tell(ending(desk))
    assert cancels(desk) == 1
    assert desk.order(1).state is S.ACCEPTED

    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.order(1).state is S.CANCELED


def test_one_that_is_wished_twice_is_canceled_once(desk: OrderPath) -> None:
    desk.tell(ending(desk), ending(desk, order_key=key_of(98)), ending(desk))

    assert cancels(desk) == 1


def test_one_that_is_on_its_way_is_canceled_when_it_has_arrived(desk: OrderPath) -> None:
    desk.tell(limit(desk, 3, quantity=Decimal("0.1")), ending(desk, 3))
    assert cancels(desk, 3) == 0

    desk.tell(desk.submitted(3, S.ACCEPTED))

    assert cancels(desk, 3) == 1


def test_one_that_has_not_reached_the_venue_is_never_sent_again(desk: OrderPath) -> None:
    desk.tell(limit(desk, 3, quantity=Decimal("0.1")), ending(desk, 3))

    desk.tell(desk.submitted(3, S.NOT_SENT)).after(60)

    assert (desk.order(3).state, desk.sends(3)) == (S.REFUSED, 1)
    assert "its strategy ended it: the market went away" in desk.order(3).state_reason


def test_one_that_ended_or_is_anothers_is_left_alone(desk: OrderPath) -> None:
    desk.tell(ending(desk, strategy_id=StrategyId("other")), ending(desk, 7))
    assert cancels(desk) == 0

    desk.tell(desk.report(1, S.FILLED, "1"), ending(desk))

    assert cancels(desk) == 0


def test_a_cancel_without_an_answer_is_settled_by_asking_and_repeated(desk: OrderPath) -> None:
    desk.tell(ending(desk))
    canceled(desk, None, "OutcomeUnknown: it timed out")
    found(desk, desk.report(1, S.ACCEPTED)).after(3)
    assert cancels(desk) == 2

    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.order(1).state is S.CANCELED


def test_one_that_cannot_be_ended_is_given_up_loudly_and_may_be_wished_again(
    desk: OrderPath,
) -> None:
    desk.tell(ending(desk))
    for _ in PAUSES_NS:
        canceled(desk, desk.report(1, S.ACCEPTED))
        found(desk, desk.report(1, S.ACCEPTED)).after(60)
    assert cancels(desk) == len(PAUSES_NS)
    assert f"{key_of(1)} could not be ended in 5 tries" in desk.cell.problem
    assert desk.matters() == {"not_ended": desk.cell.problem}

    desk.tell(ending(desk))

    assert cancels(desk) == len(PAUSES_NS) + 1
    assert not desk.cell.problem
    assert not desk.matters()


def test_the_wish_outlives_the_executor(desk: OrderPath) -> None:
    desk.tell(ending(desk))
    desk.start()  # what it asked of the venue got lost

    found(desk, desk.report(1, S.ACCEPTED)).after(3)

    assert cancels(desk) == 2
    assert desk.gateway.canceled[-1].epoch != desk.gateway.canceled[0].epoch


def test_an_answer_to_the_executor_before_is_none_to_this_ones_cancel(desk: OrderPath) -> None:
    desk.tell(ending(desk))
    before = desk.gateway.canceled[-1]
    desk.start()
    found(desk, desk.report(1, S.ACCEPTED)).after(3)
    assert cancels(desk) == 2

    late = CancelDone(order_key=before.key, epoch=before.epoch, report=None, problem="late")
    found(desk.tell(late), desk.report(1, S.ACCEPTED)).after(30)

    assert cancels(desk) == 2, "its own is under way"
    canceled(desk, desk.report(1, S.CANCELED))
    assert desk.order(1).state is S.CANCELED


def test_a_person_sees_what_is_being_ended_and_what_was_given_up(desk: OrderPath) -> None:
    desk.tell(replacing(desk))
    (one,) = desk.actor.inspect()["ending"]["orders"]
    assert (one["order_key"], one["replaced_by"], one["tries"]) == (key_of(1), key_of(2), 1)

    for _ in PAUSES_NS:
        canceled(desk, desk.report(1, S.ACCEPTED))
        found(desk, desk.report(1, S.ACCEPTED)).after(60)
    ending_now = desk.actor.inspect()["ending"]
    assert (ending_now["count"], list(ending_now["given_up"])) == (0, [key_of(1)])
    assert desk.cell.problem

    desk.tell(desk.report(1, S.FILLED, "1"))

    assert not desk.actor.inspect()["ending"]["given_up"]
    assert not desk.cell.problem


# ------------------------------------------------------------ another in its place


def test_the_second_is_sent_once_the_first_is_proved_to_have_ended(desk: OrderPath) -> None:
    desk.tell(replacing(desk))
    assert (cancels(desk), desk.sends(2)) == (1, 0)
    assert key_of(2) not in desk.orders()

    canceled(desk, None, "OutcomeUnknown: it timed out")
    assert desk.sends(2) == 0

    found(desk, desk.report(1, S.CANCELED))

    assert desk.sends(2) == 1
    assert desk.order(2).quantity == 1


def test_what_the_first_has_filled_is_not_sent_again(desk: OrderPath) -> None:
    desk.tell(replacing(desk))

    canceled(desk, desk.report(1, S.CANCELED, "0.4"))

    second = desk.order(2)
    assert (second.quantity, second.decided_quantity) == (Decimal("0.6"), Decimal(1))
    assert desk.gateway.sent[-1].order.quantity == Decimal("0.6")


def test_nothing_takes_the_place_of_one_that_filled(desk: OrderPath) -> None:
    desk.tell(replacing(desk))

    canceled(desk, desk.report(1, S.FILLED, "1"))

    assert (desk.order(2).state, desk.sends(2)) == (S.REFUSED, 0)
    assert "not_replaced" in desk.order(2).state_reason


def test_one_that_would_be_refused_leaves_the_first_where_it_is(desk: OrderPath) -> None:
    desk.tell(replacing(desk, quantity=Decimal(2)))

    assert (desk.order(2).state, cancels(desk)) == (S.REFUSED, 0)
    assert "max_position_notional" in desk.order(2).state_reason


def test_the_first_does_not_count_against_the_second(desk: OrderPath) -> None:
    """Both together would be over the position limit."""
    desk.tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.sends(2) == 1


@pytest.mark.parametrize(
    "wrong", [{"side": Side.SELL}, {"replaces": key_of(7)}, {"strategy_id": StrategyId("other")}]
)
def test_an_order_takes_the_place_of_one_of_its_own_kind_alone(
    desk: OrderPath, wrong: dict[str, Any]
) -> None:
    desk.tell(limit(desk, 2, "101", **{"replaces": key_of(1)} | wrong))

    assert (desk.order(2).state, cancels(desk)) == (S.REFUSED, 0)


def test_two_do_not_take_the_same_place(desk: OrderPath) -> None:
    desk.tell(replacing(desk, 2), replacing(desk, 3)).tell(replacing(desk, 4))
    canceled(desk, desk.report(1, S.CANCELED))

    assert [desk.sends(number) for number in (2, 3, 4)] == [1, 0, 0]
    assert desk.order(3).state is desk.order(4).state is S.REFUSED


def test_the_same_one_told_twice_is_sent_once(desk: OrderPath) -> None:
    desk.tell(replacing(desk), replacing(desk)).tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED)).tell(replacing(desk))

    assert desk.sends(2) == 1


def test_another_decision_under_the_key_of_one_that_waits_halts(desk: OrderPath) -> None:
    desk.tell(replacing(desk))

    desk.tell(replacing(desk, quantity=Decimal("0.5")))

    assert "LedgerConflict" in desk.cell.last_error


def test_one_that_waited_too_long_is_not_sent(desk: OrderPath) -> None:
    desk.tell(replacing(desk)).after(11)

    canceled(desk, desk.report(1, S.CANCELED))

    assert (desk.order(2).state, desk.sends(2)) == (S.REFUSED, 0)
    assert "stale" in desk.order(2).state_reason


def test_a_halt_ends_the_first_and_refuses_the_second(desk: OrderPath) -> None:
    desk.tell(replacing(desk))
    desk.tell(HaltTrading(reason="a person says so", durable=True))

    canceled(desk, desk.report(1, S.CANCELED)).after(1)

    assert desk.sends(2) == 0
    assert desk.order(2).state is S.REFUSED


def test_one_whose_first_cannot_be_ended_is_refused_and_the_first_stays(tmp_path: Path) -> None:
    """Long before it is too old: what ends it is the giving up."""
    desk = OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=3_600 * NS_PER_S).start()
    desk.tell(limit(desk, 1))
    desk.tell(desk.submitted(1, S.ACCEPTED)).tell(replacing(desk))
    for _ in PAUSES_NS:
        canceled(desk, desk.report(1, S.ACCEPTED))
        found(desk, desk.report(1, S.ACCEPTED)).after(60)

    assert (desk.order(1).state, desk.order(2).state) == (S.ACCEPTED, S.REFUSED)
    assert "could not be ended" in desk.order(2).state_reason
    assert desk.sends(2) == 0


def test_nothing_takes_the_place_of_one_that_a_person_cancels(desk: OrderPath) -> None:
    """The person does not want it moved."""
    desk.tell(replacing(desk))

    desk.tell(CancelOrder(request="c", order_key=key_of(1)))
    canceled(desk, desk.report(1, S.CANCELED))

    assert (desk.order(2).state, desk.sends(2)) == (S.REFUSED, 0)
    assert "a person canceled" in desk.order(2).state_reason


# ------------------------------------------------------------ deaths


def test_one_that_waits_outlives_the_executor(desk: OrderPath) -> None:
    desk.tell(replacing(desk))
    desk.start()

    found(desk, desk.report(1, S.CANCELED))

    assert desk.sends(2) == 1


def test_in_a_later_process_it_is_refused_for_its_strategy_has_begun_anew(
    desk: OrderPath, tmp_path: Path
) -> None:
    desk.tell(replacing(desk))
    later = OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS).start()

    found(later, later.report(1, S.ACCEPTED))
    assert cancels(later) == 1
    canceled(later, later.report(1, S.CANCELED))

    assert (later.order(2).state, later.sends(2)) == (S.REFUSED, 0)
    assert "decide anew" in later.order(2).state_reason


def test_an_executor_that_dies_between_the_end_and_the_claim_goes_on(
    desk: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.tell(replacing(desk))
    with monkeypatch.context() as patch:
        patch.setattr(type(desk.actor._replacements), "ready", lambda _: [])
        canceled(desk, desk.report(1, S.CANCELED))
    assert key_of(2) not in desk.orders()

    desk.start().after(1)

    assert desk.sends(2) == 1
