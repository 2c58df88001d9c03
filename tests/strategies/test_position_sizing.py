import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ids import Symbol
from messages.values import Instrument
from strategies.position_sizing import (
    atr_risk,
    capped_kelly,
    fixed_fraction,
    fixed_notional,
    steady,
    volatility_target,
)

BTC = Instrument(symbol=Symbol("BTC/USDT"))
CAPITAL, PRICE = Decimal(10_000), Decimal(50_000)
money = st.decimals("1", "1000000", places=2)
parts = st.floats(0, 1)
positive = st.floats(1e-6, 1e6)


def test_a_fixed_notional_buys_what_it_buys() -> None:
    assert fixed_notional(Decimal(1_000), PRICE, BTC) == Decimal("0.02")


def test_a_fixed_fraction_buys_with_that_part_of_the_capital() -> None:
    assert fixed_fraction(CAPITAL, 0.1, PRICE, BTC) == Decimal("0.02")


def test_a_stop_that_is_hit_costs_the_risked_part_of_the_capital() -> None:
    quantity = atr_risk(CAPITAL, 0.01, 2 * 1_250.0, PRICE, BTC)

    assert quantity == Decimal("0.04")
    assert quantity * 2_500 == CAPITAL * Decimal("0.01")


def test_a_market_twice_as_wild_as_the_target_gets_half_of_the_capital() -> None:
    assert volatility_target(CAPITAL, 0.4, 0.8, PRICE, BTC) == Decimal("0.1")


def test_a_calm_market_gets_no_more_than_the_leverage_allowed() -> None:
    assert volatility_target(CAPITAL, 0.4, 0.1, PRICE, BTC) == Decimal("0.2")
    assert volatility_target(CAPITAL, 0.4, 0.0, PRICE, BTC) == Decimal("0.2")


def test_kelly_is_halved_and_capped() -> None:
    kelly = partial(capped_kelly, CAPITAL, price=PRICE, instrument=BTC)

    assert kelly(mean_return=0.001, variance=0.005) == Decimal("0.02")
    assert kelly(mean_return=0.01, variance=0.005) == Decimal("0.05")
    assert kelly(mean_return=0.01, variance=0.0) == Decimal("0.05")


def test_kelly_bets_nothing_on_a_loss_nor_on_nothing() -> None:
    assert capped_kelly(CAPITAL, -0.01, 0.005, PRICE, BTC) == 0
    assert capped_kelly(CAPITAL, 0.0, 0.0, PRICE, BTC) == 0


def test_nobody_risks_anything_with_nothing_to_risk() -> None:
    assert atr_risk(CAPITAL, 0.0, 0.0, PRICE, BTC) == 0
    assert volatility_target(CAPITAL, 0.0, 0.0, PRICE, BTC) == 0
    assert fixed_fraction(CAPITAL, 0.0, PRICE, BTC) == 0


@pytest.mark.slow
@given(capital=money, price=money, part=parts, other=positive)
def test_every_size_is_on_the_grid_affordable_and_acceptable(
    capital: Decimal, price: Decimal, part: float, other: float
) -> None:
    for quantity in (
        fixed_notional(capital, price, BTC),
        fixed_fraction(capital, part, price, BTC),
        atr_risk(capital, part, other, price, BTC),
        volatility_target(capital, part, other, price, BTC),
        capped_kelly(capital, part, other, price, BTC),
    ):
        assert quantity >= 0
        assert quantity % BTC.quantity_step == 0
        assert quantity * price <= capital
        assert not quantity or quantity >= BTC.min_quantity
        assert not quantity or quantity * price >= BTC.min_notional


@pytest.mark.slow
@given(capital=money, price=money, risk=st.floats(0.0001, 0.1), distance=positive)
def test_what_a_stop_costs_is_exact_to_one_step_and_nine_digits(
    capital: Decimal, price: Decimal, risk: float, distance: float
) -> None:
    quantity = atr_risk(capital, risk, distance, price, BTC)

    exact = Fraction(capital) * Fraction(risk) / Fraction(distance)
    most = Fraction(capital) / Fraction(price)
    expected = min(exact, most)
    assert Fraction(quantity) <= expected * (1 + Fraction(1, 10**8))
    if quantity:
        assert Fraction(quantity) + Fraction(BTC.quantity_step) >= expected * (
            1 - Fraction(1, 10**8)
        )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.01])
@pytest.mark.parametrize(
    "size",
    [
        lambda bad: fixed_fraction(CAPITAL, bad, PRICE, BTC),
        lambda bad: atr_risk(CAPITAL, bad, 100.0, PRICE, BTC),
        lambda bad: atr_risk(CAPITAL, 0.01, bad, PRICE, BTC),
        lambda bad: volatility_target(CAPITAL, bad, 0.5, PRICE, BTC),
        lambda bad: volatility_target(CAPITAL, 0.5, bad, PRICE, BTC),
        lambda bad: volatility_target(CAPITAL, 0.5, 0.5, PRICE, BTC, bad),
        lambda bad: capped_kelly(CAPITAL, 0.01, bad, PRICE, BTC),
        lambda bad: capped_kelly(CAPITAL, 0.01, 0.01, PRICE, BTC, bad),
        lambda bad: capped_kelly(CAPITAL, 0.01, 0.01, PRICE, BTC, 0.5, bad),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name(
    size: Callable[[float], Decimal], bad: float
) -> None:
    with pytest.raises(ValueError, match=r"must be .*, not"):
        size(bad)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_mean_return_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="mean_return must be a finite number"):
        capped_kelly(CAPITAL, bad, 0.01, PRICE, BTC)


def test_more_than_all_of_the_capital_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fraction must be from 0 to 1, not 1\.01"):
        fixed_fraction(CAPITAL, 1.01, PRICE, BTC)


def test_a_rounding_decides_no_quantity() -> None:
    assert steady(99.99999999999999) == steady(100.0) == 100
    old = atr_risk(CAPITAL, 0.01, 100.0, Decimal(100), BTC)
    new = atr_risk(CAPITAL, 0.01, 100.00000000000001, Decimal(100), BTC)
    assert old == new == 1
