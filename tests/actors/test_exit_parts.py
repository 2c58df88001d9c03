"""Exits that the venue does not take in one order, and what is told of those that fail."""

from decimal import Decimal
from pathlib import Path

import pytest

from decisions.order_keys import rest_key
from messages.ids import StrategyId
from messages.lifecycle import HaltTrading
from messages.values import OrderState as S
from messages.values import OrderType, TimeInForce
from tests.actors.exit_path import (
    answer_of,
    leave,
    path,
    sold,
    with_most,
)
from tests.actors.order_path import key_of
from tests.actors.stopped_path import AT_95, Stopped


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    return path(tmp_path)


def test_what_the_venue_does_not_take_in_one_order_follows_once_that_has_filled(
    desk: Stopped,
) -> None:
    """Its strategy counts all of it as left: nobody would come for the rest."""
    with_most(desk, "0.4")
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)

    leave(desk)
    assert sold(desk) == [("0.4", S.SENT)]
    desk.answers(S.FILLED, "0.4").answers(S.FILLED, "0.4").answers(S.FILLED, "0.2")

    assert sold(desk) == [("0.4", S.FILLED), ("0.4", S.FILLED), ("0.2", S.FILLED)]
    assert {rest_key(key_of(1), part) for part in (1, 2)} < set(desk.orders())
    assert desk.cell.problem == ""


def test_each_part_is_sent_once_whichever_incarnation_sends_it(desk: Stopped) -> None:
    with_most(desk, "0.4")
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)
    leave(desk)
    desk.answers(S.FILLED, "0.4")

    desk.start()
    first = rest_key(key_of(1), 1)
    asked = next(one for one in desk.gateway.asked if one.key == first)
    desk.tell(desk.answer(asked, answer_of(desk, first, S.FILLED, "0.4")))
    desk.answers(S.FILLED, "0.2")

    assert sorted(sold(desk)) == [("0.2", S.FILLED), ("0.4", S.FILLED), ("0.4", S.FILLED)]


# ---------------------------------------------------------------- what fails is told


def test_what_a_failed_exit_leaves_held_is_a_warning_until_it_is_gone(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)
    leave(desk)
    desk.answers(S.EXPIRED, "0.4", "found too little")

    assert "one counts as left and holds 0.6 BTC/USDT" in desk.cell.problem
    assert f"its exit {key_of(1)} was expired (found too little)" in desk.cell.problem
    assert f"watchkeeper explain {key_of(1)}" in desk.cell.problem
    leave(desk, 2, "0.6")
    desk.answers(S.FILLED, "0.6")

    assert desk.cell.problem == ""


def test_where_a_part_fails_the_rest_is_told_with_it(desk: Stopped) -> None:
    with_most(desk, "0.4")
    desk.tell(desk.intent(0))
    desk.fills(0, "1", S.FILLED)
    leave(desk)

    desk.answers(S.FILLED, "0.4").answers(S.REJECTED, reason="no")

    assert sold(desk) == [("0.4", S.FILLED), ("0.4", S.REJECTED)]
    assert "holds 0.6 BTC/USDT" in desk.cell.problem


@pytest.mark.parametrize("filled", ["0", "0.3"])
def test_what_a_limit_order_could_not_sell_at_once_is_told_as_it_fills(
    desk: Stopped, filled: str
) -> None:
    desk.tell(desk.intent(0))
    if filled != "0":
        desk.fills(0, filled)
    leave(
        desk,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(99),
        time_in_force=TimeInForce.IOC,
    )
    if filled != "0":
        desk.answers(S.FILLED, filled)
    assert desk.cell.problem == ""

    desk.fills(0, "1", S.FILLED)

    held = Decimal(1) - Decimal(filled)
    assert f"one counts as left and holds {held} BTC/USDT" in desk.cell.problem


def test_an_exit_that_a_halt_refuses_is_told_with_what_is_held(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    desk.tell(HaltTrading(reason="a person", durable=False, request="1"))

    leave(desk)

    assert desk.order(1).state_reason == "halted: a person"
    assert "holds 0.3 BTC/USDT" in desk.actor._exits.problem()


def test_a_halt_refuses_what_waits_and_what_is_to_follow(desk: Stopped) -> None:
    desk.tell(desk.intent(0))
    desk.fills(0, "0.3")
    leave(desk)
    desk.tell(desk.intent(2, strategy_id=StrategyId("two")))
    leave(desk, 3, strategy_id=StrategyId("two"))

    desk.tell(HaltTrading(reason="a person", durable=False, request="1"))
    desk.fills(1, "0.3", S.FILLED)
    desk.fills(0, "0.9", S.CANCELED)

    assert desk.order(3).state_reason == "halted: a person"
    assert sold(desk) == [("0.3", S.FILLED)]
    assert "holds 0.6 BTC/USDT" in desk.actor._exits.problem()


def test_the_exit_of_a_stop_is_the_stops(desk: Stopped) -> None:
    """It is tried again by itself, and told of by itself."""
    desk.tell(desk.intent(0, protection=AT_95))
    desk.fills(0, "0.3")
    desk.price("94").answers(S.REJECTED, reason="no")

    assert "a stop of one on BTC/USDT acted" in desk.cell.problem
    assert "counts as left" not in desk.cell.problem


def test_what_a_stop_protects_is_no_ones_to_look_after(desk: Stopped) -> None:
    desk.tell(desk.intent(0, protection=AT_95))
    desk.fills(0, "1", S.FILLED)

    leave(desk)
    desk.answers(S.REJECTED, reason="no")

    assert desk.cell.problem == ""
    desk.price("94")
    assert sold(desk)[1:] == [("1", S.SENT)]


@pytest.mark.parametrize(("state", "filled"), [(S.FILLED, "1"), (S.REJECTED, "0")])
def test_what_a_stop_sells_of_a_failed_exit_is_no_more_told_of_what_is_bought_later(
    desk: Stopped, state: S, filled: str
) -> None:
    """It was still in the number, which grew to it with the next purchase: `sell it by hand`."""
    desk.enter()
    desk.tell(desk.intent(2))
    desk.fills(2, "1", S.FILLED)
    leave(desk, 3, "2")
    desk.answers(S.REJECTED, reason="no")
    assert "one counts as left and holds 1 BTC/USDT" in desk.cell.problem

    desk.price("94").answers(state, filled)
    desk.tell(desk.intent(4))
    desk.fills(4, "1", S.FILLED)

    assert "one counts as left and holds 1 BTC/USDT" in desk.actor._exits.problem()


def test_what_a_stop_leaves_in_parts_is_not_told_as_held_once_something_else_is(
    tmp_path: Path,
) -> None:
    """Whoever sold that by hand would sell what the strategy holds."""
    desk = path(tmp_path)
    with_most(desk, "0.3")
    desk.tell(desk.intent(0, protection=AT_95))
    desk.fills(0, "0.9", S.CANCELED)
    leave(desk, 1, "0.9")
    desk.answers(S.EXPIRED)  # all of it counts as left, and its stop keeps it
    desk.price("94")
    desk.answers(S.FILLED, "0.3")

    desk.tell(desk.intent(2, quantity=Decimal("0.6")))
    desk.fills(2, "0.6", S.FILLED)
    for _ in range(2):
        desk.price("94")
        desk.answers(S.FILLED, "0.3")

    assert sold(desk) == [("0.3", S.EXPIRED), *[("0.3", S.FILLED)] * 3]
    assert desk.cell.problem == ""
