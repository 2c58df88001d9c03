import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators import Ema, Sma, relation, sma_relation

cents = st.integers(min_value=1, max_value=10_000_000)


def test_a_mean_is_not_a_number_until_its_window_is_full() -> None:
    sma = Sma(3)

    values = [sma.update(value) for value in (1.0, 2.0, 6.0)]

    assert [math.isnan(value) for value in values] == [True, True, False]
    assert values[2] == 3.0


def test_a_mean_forgets_what_left_its_window() -> None:
    sma = Sma(2)

    for value in (100.0, 2.0, 4.0):
        sma.update(value)

    assert sma.value == 3.0


def test_a_running_mean_is_taken_anew_before_it_drifts() -> None:
    sma = Sma(3)

    for value in [1e12, *(0.1 for _ in range(600))]:
        sma.update(value)

    assert sma.value == pytest.approx(0.1, rel=1e-12)


@pytest.mark.slow
@given(
    prices=st.lists(cents, min_size=1, max_size=80),
    fast=st.integers(1, 12),
    more=st.integers(1, 12),
)
def test_two_means_stand_to_each_other_as_exact_arithmetic_says(
    prices: list[int], fast: int, more: int
) -> None:
    slow = fast + more
    fast_sma, slow_sma = Sma(fast), Sma(slow)

    for place, price in enumerate(prices, start=1):
        as_float = float(Decimal(price) / 100)
        fast_sma.update(as_float)
        slow_sma.update(as_float)
        window = prices[max(0, place - slow) : place]
        gap = Fraction(sum(window[-fast:]), fast) - Fraction(sum(window), slow)
        expected = (gap > 0) - (gap < 0) if place >= slow else None
        assert sma_relation(fast_sma, slow_sma) == expected


def test_a_market_that_stands_still_is_level_for_every_pair_of_periods() -> None:
    price = 61480.21

    for fast, slow in ((1, 49), (3, 7), (10, 30), (49, 98)):
        pair = Sma(fast), Sma(slow)
        for _ in range(slow):
            for sma in pair:
                sma.update(price)

        assert sma_relation(*pair) == 0


def test_a_market_that_comes_to_rest_is_level_whatever_drift_its_wild_days_left() -> None:
    wild = [61480.21 + 1_000.0 * (place * 7919 % 100_003) for place in range(200)]
    pair = Sma(10), Sma(30)

    for price in [*wild, *(61480.21 for _ in range(30))]:
        for sma in pair:
            sma.update(price)

    assert relation(pair[0].value, pair[1].value) == -1
    assert sma_relation(*pair) == 0


def test_an_exponential_mean_begins_at_the_first_value_and_moves_by_its_weight() -> None:
    ema = Ema(3)

    values = [ema.update(value) for value in (10.0, 20.0, 15.0)]

    assert [math.isnan(value) for value in values] == [True, True, False]
    assert values[2] == 15.0


def test_an_exponential_mean_warmed_up_as_long_as_it_asks_is_as_good_as_an_old_one() -> None:
    prices = [100.0 + 7 * math.sin(place) for place in range(1_000)]
    old, new = Ema(9), Ema(9)

    for price in prices:
        old.update(price)
    for price in prices[-new.warmup_values :]:
        new.update(price)

    assert new.value == pytest.approx(old.value, rel=1e-12)


@pytest.mark.parametrize(
    ("fast", "slow", "expected"),
    [
        (2.0, 1.0, 1),
        (1.0, 2.0, -1),
        (1.0, 1.0, 0),
        (0.1 + 0.2, 0.3, 0),
        (math.nan, 1.0, None),
        (1.0, math.nan, None),
    ],
)
def test_a_relation_is_above_below_level_or_unknown(
    fast: float, slow: float, expected: int | None
) -> None:
    assert relation(fast, slow) == expected
