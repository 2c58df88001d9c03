"""Targets: the order that leads from what is held to what is wanted, or none."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.wishes import Desk, Moment, order_to
from messages.errors import BadDecision
from messages.ids import AccountId, StrategyId, Symbol, TimestampNs
from messages.values import (
    Side,
    Target,
)
from tests.decisions.test_wishes import AT, BTC, ETH, GRID, PRICES, intents


def to(target: Target, held: str = "0", price: str = "100") -> tuple[Side, Decimal] | None:
    order = order_to(target, Decimal(held), Decimal(price), GRID)
    return None if order is None else (order.side, order.quantity)


@pytest.mark.parametrize(
    ("target", "held", "order"),
    [
        (Target(Decimal("1.5")), "0", (Side.BUY, Decimal("1.5"))),
        (Target(Decimal("1.5")), "1", (Side.BUY, Decimal("0.5"))),
        (Target(Decimal("1.5")), "1.5", None),
        (Target(Decimal(0)), "1.5", (Side.SELL, Decimal("1.5"))),
        (Target(Decimal(-1)), "1.5", (Side.SELL, Decimal("2.5"))),
        (Target(Decimal("1.23456")), "0", (Side.BUY, Decimal("1.234"))),
        (Target(Decimal("-1.23456")), "0", (Side.SELL, Decimal("1.234"))),
        (Target(notional=Decimal(250)), "0", (Side.BUY, Decimal("2.5"))),
        (Target(notional=Decimal("-250.99")), "0", (Side.SELL, Decimal("2.509"))),
        (Target(notional=Decimal(0)), "0.5", (Side.SELL, Decimal("0.5"))),
    ],
)
def test_a_target_becomes_the_order_that_leads_there(
    target: Target, held: str, order: tuple[Side, Decimal] | None
) -> None:
    assert to(target, held) == order


def test_a_way_that_is_too_small_for_the_venue_is_none() -> None:
    assert to(Target(Decimal("0.001"))) is None  # below min_quantity
    assert to(Target(Decimal("0.04"))) is None  # worth 4, below min_notional


def test_what_is_wanted_of_nothing_held_and_comes_to_no_order_is_counted() -> None:
    desk = Desk(AccountId("main"), StrategyId("one"), (BTC, ETH), lambda _: GRID)
    moment = Moment(BTC, AT, PRICES, "on_candle")
    small, notional, enough = Decimal("0.04"), Decimal("0.01"), Decimal(1)

    for target in (Target(small), Target(notional=notional), Target(Decimal(0))):
        desk.intents(target, moment, TimestampNs(7), {}, {})
    assert desk.small_targets == {BTC: 2}

    held: dict[Symbol, Decimal] = {}
    desk.intents(Target(enough), moment, TimestampNs(7), held, {})
    desk.intents(Target(enough + small), moment, TimestampNs(7), held, {})
    assert desk.small_targets == {BTC: 2}


def test_an_exit_worth_too_little_is_left_to_the_venue_to_judge() -> None:
    assert to(Target(Decimal(0)), held="0.04") == (Side.SELL, Decimal("0.04"))
    assert to(Target(Decimal("-0.01")), held="0.02") is None


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "1e30", "sNaN"])
def test_a_target_that_is_no_number_that_exists_is_a_bad_decision(amount: str) -> None:
    for target in (Target(Decimal(amount)), Target(notional=Decimal(amount))):
        with pytest.raises(BadDecision, match="nothing to hold"):
            to(target)
        with pytest.raises(BadDecision, match="nothing to hold"):
            intents(target)


def test_a_target_of_a_float_is_a_bad_decision() -> None:
    with pytest.raises(BadDecision, match="finite Decimal"):
        to(Target(1.5))  # type: ignore[arg-type]  # what a user may write


@pytest.mark.parametrize("both", [{}, {"quantity": Decimal(1), "notional": Decimal(1)}])
def test_a_target_says_either_how_much_or_what_for(both: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError, match="either a quantity or a notional"):
        Target(**both)  # type: ignore[arg-type]  # what a user may write


amounts = st.decimals(-1000, 1000, places=5)


@given(target=amounts, held=amounts)
def test_whoever_is_led_to_a_target_is_there_within_a_step_and_is_led_no_further(
    target: Decimal, held: Decimal
) -> None:
    held = held.quantize(GRID.quantity_step)
    position = {BTC: held}

    intents(Target(target), position)

    far, least = abs(position[BTC] - target), GRID.min_notional / PRICES[BTC]
    too_small = position[BTC] == held and far < least + GRID.quantity_step
    assert far < GRID.quantity_step or too_small
    assert intents(Target(target), position) == []
