"""What a trial is worth, and how unseen parts add up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.performance import sharpe
from research.optimise.figures import (
    Figures,
    added,
    days_from,
    score_of,
    too_few,
    unknown_because,
    value_of,
)

CAPITAL = 1_000.0


def figures(*profits: float, first: int = 10, orders: int = 5, drawdown: float = 0.0) -> Figures:
    """Profit at the end of each day; the first is the day before it began."""
    days = dict(enumerate((0.0, *profits), first - 1))
    net = Decimal(str(profits[-1] if profits else 0))
    return Figures(net=net, fees=Decimal(1), orders=orders, drawdown=drawdown, days=days)


def test_the_objectives_by_hand() -> None:
    found = figures(10, 5, 20, 30, drawdown=5.0)

    assert value_of("return", found, CAPITAL) == pytest.approx(0.03)
    assert value_of("calmar", found, CAPITAL) == pytest.approx(0.03 * 365 / 4 / 0.005)
    by_hand = sharpe([0.01, 1005 / 1010 - 1, 1020 / 1005 - 1, 1030 / 1020 - 1])
    assert by_hand is not None
    assert value_of("sharpe", found, CAPITAL) == pytest.approx(by_hand.ratio)


@pytest.mark.parametrize("objective", ["sharpe", "calmar"])
def test_what_never_moved_has_no_ratio_and_says_why(objective: str) -> None:
    still = figures(0, 0, 0, 0)

    assert value_of(objective, still, CAPITAL) is None
    assert score_of(objective, still, CAPITAL) is None
    assert unknown_because(objective, still)
    assert unknown_because(objective, figures(0, orders=0)) == "no order filled"


def test_a_trial_of_too_few_orders_is_not_judged() -> None:
    assert too_few(figures(1), 5) == ""
    assert too_few(figures(1), 6) == "5 orders filled, and --min-orders asks for 6"


def test_days_begin_with_nothing() -> None:
    day = 86_400_000_000_000

    assert days_from({3: 7.0, 4: 8.0, 6: 9.0}, 4 * day + 5) == {3: 0.0, 4: 8.0, 6: 9.0}
    assert days_from({}, 4 * day) == {3: 0.0}


@given(st.lists(st.lists(st.integers(-50, 50), min_size=1, max_size=6), min_size=1, max_size=5))
def test_parts_add_up_to_one_curve(parts: list[list[int]]) -> None:
    """Held against one curve made of the same daily changes, the parts being whole days."""
    some, changes, day = [], [], 10
    for part in parts:
        profits = [float(sum(part[: n + 1])) for n in range(len(part))]
        some.append(figures(*profits, first=day))
        changes += part
        day += len(part)

    whole = added(some)

    curve = [float(sum(changes[: n + 1])) for n in range(len(changes))]
    assert whole.days == figures(*curve).days
    assert whole.net == sum(changes)
    assert whole.orders == 5 * len(parts)
    assert whole.fees == len(parts)
    peaks = [max(0.0, *curve[: n + 1]) for n in range(len(curve))]
    deepest = max(peak - now for peak, now in zip(peaks, curve, strict=True))
    assert whole.drawdown == pytest.approx(deepest)


def test_a_day_that_two_parts_share_is_of_both() -> None:
    first, second = figures(1, 3, first=10), figures(2, 5, first=11)

    assert added([first, second]).days == {9: 0.0, 10: 1.0, 11: 5.0, 12: 8.0}
