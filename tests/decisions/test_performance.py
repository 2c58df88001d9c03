"""The Sharpe ratio and its interval, held against sums worked out by hand in fractions."""

from fractions import Fraction
from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.performance import Sharpe, daily_returns, sharpe


def test_returns_are_of_what_was_there_before() -> None:
    assert daily_returns({10: 0.0, 11: 50.0, 13: -25.0}, 100.0) == [0.5, 0.0, -0.5]


def test_the_first_day_is_where_returns_begin() -> None:
    assert daily_returns({10: 25.0, 11: 0.0}, 100.0) == pytest.approx([-0.2])


def test_nothing_is_returned_on_nothing() -> None:
    assert daily_returns({1: 0.0, 2: -100.0, 3: 0.0}, 100.0) == [-1.0]
    assert daily_returns({}, 100.0) == []
    assert daily_returns({1: 1.0, 2: 2.0}, 0.0) == []


def test_a_ratio_worked_out_by_hand() -> None:
    """Of 1, 2, 3, 6 percent: mean 3, squares 14, deviation sqrt(14 / 3), skew and kurtosis below.

    Gaps -2 -1 0 3: cubes 18, fourth powers 98; second moment 3.5, skew 4.5 / 3.5**1.5, kurtosis
    24.5 / 12.25 = 2.
    """
    found = sharpe([0.01, 0.02, 0.03, 0.06])

    daily = 3 / sqrt(14 / 3)
    error = sqrt((1 + daily**2 / 2 - 4.5 / 3.5**1.5 * daily - daily**2 / 4) / 4)
    assert found is not None
    assert found.days == 4
    assert isclose(found.ratio, daily * sqrt(365), rel_tol=1e-12)
    assert isclose(found.low, (daily - 1.959963984540054 * error) * sqrt(365), rel_tol=1e-12)
    assert isclose(found.high, (daily + 1.959963984540054 * error) * sqrt(365), rel_tol=1e-12)


@pytest.mark.parametrize("returns", [[], [0.1, 0.2], [0.0] * 9, [0.01] * 9])
def test_too_few_days_or_days_all_alike_have_none(returns: list[float]) -> None:
    assert sharpe(returns) is None


@given(st.lists(st.integers(-90, 90), min_size=3, max_size=40))
def test_the_ratio_is_that_of_exact_fractions(percents: list[int]) -> None:
    found = sharpe([percent / 100 for percent in percents])

    exact = [Fraction(percent, 100) for percent in percents]
    mean = sum(exact) / len(exact)
    variance = sum((one - mean) ** 2 for one in exact) / (len(exact) - 1)
    if not variance:
        assert found is None
        return
    assert isinstance(found, Sharpe)
    assert isclose(found.ratio, float(mean) / sqrt(variance) * sqrt(365), abs_tol=1e-9)
    assert found.low <= found.ratio <= found.high
