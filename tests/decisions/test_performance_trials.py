"""What luck alone shows, by the papers' own figures, by simulation, and at the edges."""

import random
from math import isclose, log, sqrt
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.performance import Moments, moments, sharpe
from decisions.performance_trials import best_without_skill, deflated_sharpe, probability_above


def test_the_papers_own_example() -> None:
    """Bailey and Lopez de Prado (2014): annual 2.5 over 1250 days of 250 a year, 100 trials.

    Their ratios vary by 0.5 a year, skew -3, kurtosis 10: T = 0.1132, and 0.9004 is left.
    """
    found = Moments(days=1250, ratio=2.5 / sqrt(250), skew=-3.0, kurtosis=10.0)
    threshold = best_without_skill(100, 0.5 / 250)

    assert isclose(threshold, 0.1132, abs_tol=5e-5)
    assert isclose(probability_above(found, threshold), 0.9004, abs_tol=5e-4)


def test_the_best_of_many_lucky_ones_is_what_is_expected_of_it() -> None:
    draw = random.Random(5)
    best = [max(draw.gauss(0, 0.1) for _ in range(50)) for _ in range(2_000)]

    assert isclose(best_without_skill(50, 0.01), mean(best), rel_tol=0.02)


@pytest.mark.parametrize("trials", [10**9, 10**17, 2**63 - 1])
def test_of_very_many_the_best_is_expected_near_the_root_of_twice_their_logarithm(
    trials: int,
) -> None:
    """Such as by `--trials`, which takes what a person says."""
    assert isclose(best_without_skill(trials, 1.0), sqrt(2 * log(trials)), rel_tol=0.06)


RETURNS = [0.01, -0.02, 0.015, 0.03, -0.01, 0.02, 0.001, -0.004]


def test_one_trial_has_nothing_to_be_deflated_by() -> None:
    found, known = deflated_sharpe(RETURNS, 1), moments(RETURNS)

    assert found is not None
    assert known is not None
    assert found.threshold == 0
    assert found.probability == probability_above(known)


def test_more_trials_leave_less_and_their_known_spread_is_used() -> None:
    left = [deflated_sharpe(RETURNS, trials, 0.01) for trials in (1, 2, 10, 1_000)]
    guessed = deflated_sharpe(RETURNS, 10)

    probabilities = [one.probability for one in left if one is not None]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(set(probabilities)) == 4
    assert [one.is_assumed for one in left if one is not None] == [False] * 4
    assert guessed is not None
    assert guessed.is_assumed
    assert guessed.variance != 0.01


@pytest.mark.parametrize("returns", [[], [0.1, 0.2], [0.0] * 9])
def test_what_has_no_ratio_has_no_probability(returns: list[float]) -> None:
    assert deflated_sharpe(returns, 10) is None


def test_no_trial_at_all_is_none() -> None:
    assert deflated_sharpe(RETURNS, 0) is None


@given(st.lists(st.floats(-0.5, 0.5, width=32), min_size=3, max_size=30))
def test_above_zero_and_the_interval_agree(returns: list[float]) -> None:
    """The lower end of the 95 % interval is above 0 just where 97.5 % is above 0."""
    found, interval = moments(returns), sharpe(returns)
    if found is None or interval is None:
        return
    probability = probability_above(found)
    assert 0 <= probability <= 1
    if abs(interval.low) > 1e-6:
        assert (interval.low > 0) == (probability > 0.975)
