"""The end of an order, and another in its place, under attack: overtaken, halted, stopped."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.cancel_desk import PAUSES_NS
from decisions.order_keys import client_order_id
from decisions.resolving import WAIT_NS
from messages.halting import CancelOrder, ResolveOrder, ResumeTrading
from messages.ids import NS_PER_S, ActorPath, OrderKey
from messages.lifecycle import ActorState, HaltTrading, InjectCrash
from messages.market import MarketBatch
from messages.stops import StopState
from messages.values import OrderState as S
from messages.values import Protection
from tests.actors.changing import (
    AGE_NS,
    OPEN,
    canceled,
    cancels,
    ending,
    found,
    limit,
    replacing,
    revive,
    with_one,
)
from tests.actors.order_path import HandGateway, OrderPath, fill, key_of

PERSON = "a person says so"


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor on a live market that has one order open, of 1 BTC at 100."""
    return with_one(OrderPath(tmp_path, limits=OPEN, max_decision_age_ns=AGE_NS))


# ------------------------------------------------------------ overtaken


@pytest.mark.parametrize("state", [S.FILLED, S.CANCELED])
def test_the_end_of_the_first_may_come_with_the_wish_to_replace_it(
    desk: OrderPath, state: S
) -> None:
    """It is judged by the ledger of before, and nobody tells of the end once more."""
    desk.tell(desk.report(1, state, "1" if state is S.FILLED else "0.4"), replacing(desk))

    assert desk.order(2).state is (S.REFUSED if state is S.FILLED else S.SENT)
    assert not desk.actor._cancels.waits


def test_a_cancel_and_a_replacement_in_one_breath_end_it_once_and_replace_it(
    desk: OrderPath,
) -> None:
    desk.tell(ending(desk), replacing(desk), ending(desk))
    assert cancels(desk) == 1

    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.sends(2) == 1


def test_questions_of_others_do_not_repeat_a_cancel_that_is_under_way(desk: OrderPath) -> None:
    desk.tell(ending(desk))
    desk.tell(CancelOrder(request="test", order_key=key_of(1)))
    canceled(desk, None, "OutcomeUnknown: it timed out")
    found(desk, desk.report(1, S.ACCEPTED)).after(0.5)
    desk.tell(CancelOrder(request="more", order_key=key_of(1)))
    before = cancels(desk)
    desk.after(60)

    assert cancels(desk) == before + 1, "its own second one, which is not answered"


def test_one_that_the_venue_has_no_more_is_a_difference_and_what_waited_is_refused(
    desk: OrderPath,
) -> None:
    desk.tell(replacing(desk))
    canceled(desk, None, "OutcomeUnknown: the venue shows no order to cancel")

    found(desk, None).after(60)

    assert desk.order(2).state is S.REFUSED
    assert desk.sends(2) == 0
    assert not desk.actor._cancels.waits
    assert "has no such order" in (desk.cell.problem or "")


def test_one_that_was_replaced_is_not_replaced_once_more_after_both_have_ended(
    desk: OrderPath,
) -> None:
    """Else two orders would be for what one has not filled."""
    desk.tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED)).tell(desk.submitted(2, S.FILLED, "1"))

    desk.tell(replacing(desk, 3, quantity=Decimal("0.1")))
    desk.start().tell(replacing(desk, 4, quantity=Decimal("0.1")))

    assert (desk.sends(3), desk.sends(4)) == (0, 0)
    assert desk.order(3).state is desk.order(4).state is S.REFUSED


def test_of_two_for_the_place_of_one_that_has_ended_one_is_sent(desk: OrderPath) -> None:
    desk.tell(desk.report(1, S.CANCELED))

    desk.tell(
        replacing(desk, 2, quantity=Decimal("0.1")), replacing(desk, 3, quantity=Decimal("0.1"))
    )

    assert (desk.sends(2), desk.sends(3)) == (1, 0)
    assert "takes the place" in desk.order(3).state_reason


# ------------------------------------------------------------ people


def test_what_waited_when_trading_was_halted_is_refused_and_not_sent_when_it_goes_on(
    desk: OrderPath,
) -> None:
    desk.tell(replacing(desk))
    desk.tell(HaltTrading(reason=PERSON, durable=True))
    assert "halted" in desk.order(2).state_reason
    desk.tell(ResumeTrading(request="test", despite_open=True))
    assert desk.cell.state is not ActorState.HALTED

    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.order(1).state is S.CANCELED
    assert (desk.order(2).state, desk.sends(2)) == (S.REFUSED, 0)


def test_who_resolves_in_vain_does_not_let_an_ended_order_be_sent_again(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path).start()
    desk.tell(limit(desk, 3, quantity=Decimal("0.1"))).tell(desk.submitted(3, S.UNKNOWN))
    desk.tell(ending(desk, 3)).after(WAIT_NS / NS_PER_S)
    desk.tell(
        ResolveOrder(
            request="test",
            order_key=key_of(3),
            to=S.REFUSED,
            evidence="a guess",
            filled_quantity=None,
            price=None,
            unasked=False,
        )
    )
    found(desk, None, "OutcomeUnknown: it timed out").after(6)

    found(desk, None).after(60)

    assert (desk.order(3).state, desk.sends(3)) == (S.REFUSED, 1)


def test_a_persons_word_on_the_first_is_its_end(desk: OrderPath) -> None:
    desk.tell(replacing(desk))
    canceled(desk, None, "OutcomeUnknown: it timed out")
    desk.tell(
        ResolveOrder(
            request="test",
            order_key=key_of(1),
            to=S.CANCELED,
            evidence="the venue's own page",
            filled_quantity=Decimal("0.5"),
            price=Decimal(100),
            unasked=True,
        )
    )
    assert desk.sends(2) == 0

    found(desk, None, "OutcomeUnknown: NetworkError")

    assert (desk.order(1).filled_quantity, desk.order(2).quantity) == (Decimal("0.5"),) * 2
    assert desk.sends(2) == 1


# ------------------------------------------------------------ stops


def test_what_the_first_filled_stays_protected_beside_what_the_second_fills(
    desk: OrderPath,
) -> None:
    stop = Protection(stop_loss=Decimal(90), take_profit=None, trailing=None)
    desk.tell(desk.report(1, S.CANCELED))
    desk.tell(limit(desk, 4, protection=stop)).tell(desk.submitted(4, S.ACCEPTED))
    desk.tell(replacing(desk, 5, 4, protection=stop))
    canceled(desk, desk.report(4, S.CANCELED, "0.4", (fill("a", "0.4"),)))
    assert protected(desk) == {key_of(4): Decimal("0.4"), key_of(5): Decimal(0)}

    desk.tell(desk.submitted(5, S.PARTIALLY_FILLED, "0.1"))

    there = {key_of(4): Decimal("0.4"), key_of(5): Decimal("0.1")}
    assert protected(desk) == there
    assert protected(desk.start()) == there
    found(desk, desk.report(5, S.CANCELED, "0.1"))
    assert protected(desk) == there


def protected(desk: OrderPath) -> dict[OrderKey, Decimal]:
    book = desk.actor._stops.book
    assert all(stop.state is StopState.ARMED for stop in book.stops.values())
    return {key: book.cover.protected(stop) for key, stop in book.stops.items()}


# ------------------------------------------------------------ a market that waits


class Showing(HandGateway):
    """Writes down what it is shown of the market."""

    shown: list[int]

    def market(self, batch: MarketBatch, done: Any) -> None:
        self.__dict__.setdefault("shown", []).append(batch.first_index)
        super().market(batch, done)


def test_a_market_that_waits_does_not_pass_a_wish_that_waits_until_all_is_settled(
    tmp_path: Path,
) -> None:
    """After a crash: else it would be chance what the first fills until it is ended."""
    desk = with_one(OrderPath(tmp_path, make_gateway=Showing))
    desk.tell(InjectCrash(reason="test"))
    revive(desk)
    batch = MarketBatch(feed=ActorPath("feed"), first_index=7, events=(), is_history=False)

    desk.tell(ending(desk), batch)
    assert "shown" not in desk.gateway.__dict__
    found(desk, desk.report(1, S.ACCEPTED))
    assert "shown" not in desk.gateway.__dict__
    canceled(desk, desk.report(1, S.CANCELED))

    assert desk.gateway.__dict__["shown"] == [7]


def test_one_that_cannot_be_ended_holds_a_market_up_no_longer_than_it_is_tried(
    tmp_path: Path,
) -> None:
    desk = with_one(OrderPath(tmp_path, make_gateway=Showing))
    batch = MarketBatch(feed=ActorPath("feed"), first_index=7, events=(), is_history=False)
    desk.tell(ending(desk), batch)
    for _ in PAUSES_NS:
        canceled(desk, None, "OutcomeUnknown: it timed out")
        found(desk, desk.report(1, S.ACCEPTED)).after(60)

    assert desk.gateway.__dict__["shown"] == [7]


def test_a_send_is_only_ever_of_what_is_left(desk: OrderPath) -> None:
    """The name at the venue is the decision's own, whatever of it is sent."""
    desk.tell(replacing(desk))
    canceled(desk, desk.report(1, S.CANCELED, "0.4"))
    desk.tell(desk.submitted(2, S.NOT_SENT)).after(2)

    sent = [one.order for one in desk.gateway.sent if one.key == key_of(2)]
    assert [one.quantity for one in sent] == [Decimal("0.6")] * 2
    assert {one.client_order_id for one in sent} == {client_order_id(key_of(2))}
