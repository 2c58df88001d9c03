"""Every figure against NumPy, or against a sum by hand; and what a short time does not tell."""

import random
from math import isclose, sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.equity_walk import EquityWalk
from decisions.performance_figures import (
    Figures,
    autocorrelation,
    figures,
    growth_a_year,
    lo_factor,
)
from messages.ids import DAY_NS

CAPITAL = 1_000.0


def of_days(profits: list[float]) -> Figures:
    """The figures of a curve with one point a day, at each midnight."""
    walk = EquityWalk(CAPITAL)
    walk.take([(n + 1) * DAY_NS for n in range(len(profits))], profits)
    return figures(walk)


def wandering(days: int, seed: int) -> list[float]:
    draw, profit, found = random.Random(seed), 0.0, []
    for _ in range(days):
        profit += draw.gauss(1, 12)
        found.append(profit)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_numpy(seed: int) -> None:
    np: Any = pytest.importorskip("numpy", reason="numpy is not installed")
    profits = wandering(200, seed)
    found = of_days(profits)
    equity = CAPITAL + np.array(profits)
    returns = equity / np.concatenate([[CAPITAL], equity[:-1]]) - 1
    year, annual, daily = np.sqrt(365), found.annual, found.daily

    assert annual is not None
    assert daily is not None
    assert isclose(found.net, profits[-1])
    assert isclose(found.days, 199)
    growth = (equity[-1] / CAPITAL) ** (365 / 199) - 1
    assert isclose(annual.growth or 0, growth)
    assert isclose(annual.volatility, returns.std(ddof=1) * year)
    assert annual.sharpe is not None
    assert isclose(annual.sharpe.ratio, returns.mean() / returns.std(ddof=1) * year)
    losses = np.minimum(returns, 0)
    assert isclose(annual.sortino or 0, returns.mean() / np.sqrt((losses**2).mean()) * year)
    tops = np.maximum.accumulate(np.concatenate([[CAPITAL], equity]))
    falls = (tops[1:] - equity) / tops[1:]
    assert isclose(found.max_drawdown_share or 0, falls.max())
    assert isclose(found.max_drawdown, (tops[1:] - equity).max())
    assert isclose(annual.calmar or 0, growth / falls.max())
    worst = np.sort(returns)[: int(0.05 * len(returns))]
    assert isclose(daily.value_at_risk or 0, -worst[-1])
    assert isclose(daily.expected_shortfall or 0, -worst.mean())
    gaps = returns - returns.mean()
    assert isclose(daily.skew or 0, (gaps**3).mean() / returns.std() ** 3)
    assert isclose(daily.kurtosis or 0, (gaps**4).mean() / returns.std() ** 4)
    assert isclose(daily.autocorrelation or 0, (gaps[1:] * gaps[:-1]).sum() / (gaps**2).sum())
    assert (daily.best, daily.worst) == pytest.approx((returns.max(), returns.min()))
    assert isclose(daily.up, (returns > 0).mean())


def test_what_the_first_day_lost_is_in_the_worst_day_and_in_all_that_is_of_days() -> None:
    found = of_days([-200.0, -120.0, -208.0])

    assert found.daily is not None
    assert found.daily.days == 3
    assert found.daily.worst == pytest.approx(-0.2)
    assert found.daily.best == pytest.approx(0.1)


@given(st.floats(-0.9, 0.9))
def test_lo_is_the_sum_that_he_writes_out(correlation: float) -> None:
    q = 365
    spread = q + 2 * sum((q - k) * correlation**k for k in range(1, q))

    assert isclose(lo_factor(correlation) or 0, q / sqrt(spread), rel_tol=1e-9)


def test_days_that_tell_nothing_of_the_next_leave_the_root() -> None:
    assert lo_factor(0.0) == sqrt(365)
    assert lo_factor(1.0) is None


@pytest.mark.parametrize(("days", "is_told"), [(1, False), (4, False), (29, False), (30, True)])
def test_a_short_time_has_no_annual_figure_and_says_so(days: int, is_told: bool) -> None:
    found = of_days(wandering(days, 3))

    assert (found.annual is not None) == is_told
    assert bool(found.too_short) != is_told


def test_three_days_are_told_in_one_sentence() -> None:
    assert of_days(wandering(4, 3)).too_short.startswith("3 days: no annual figure")
    assert of_days(wandering(2, 3)).too_short.startswith("1 day: no annual figure")


def test_one_day_in_twenty_is_not_known_of_fewer() -> None:
    short, long = of_days(wandering(19, 1)).daily, of_days(wandering(20, 1)).daily

    assert short is not None
    assert long is not None
    assert short.value_at_risk is None
    assert long.value_at_risk == -long.worst


def test_nothing_at_all_has_no_figure_but_is_no_error() -> None:
    found = figures(EquityWalk(CAPITAL))

    assert (found.days, found.net, found.daily, found.annual) == (0, 0, None, None)


def test_nobody_knows_what_there_was() -> None:
    walk = EquityWalk()
    walk.take([1, DAY_NS, 2 * DAY_NS], [1.0, -1.0, 3.0])

    found = figures(walk)

    assert (found.net_share, found.max_drawdown_share, found.annual) == (None, None, None)
    assert "nobody knows" in found.too_short


def test_growth_is_compounded_and_ends_where_nothing_is_left() -> None:
    assert isclose(growth_a_year(0.21, 730) or 0, 0.1)
    assert growth_a_year(-1.5, 10) == -1
    assert growth_a_year(1e9, 0.1) is None
    assert growth_a_year(0.1, 0) is None


def test_days_all_alike_have_no_correlation() -> None:
    assert autocorrelation([0.1] * 9) is None
    assert autocorrelation([0.1, -0.1] * 9) == pytest.approx(-1, abs=0.06)
