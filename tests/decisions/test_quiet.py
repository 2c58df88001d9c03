"""Where a series was quiet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.quiet import quiet_after


def times(*steps: int) -> list[int]:
    return [sum(steps[:count]) for count in range(len(steps) + 1)]


def test_one_candle_that_is_missing_is_quiet_among_candles() -> None:
    assert quiet_after(times(60, 60, 120, 60, 60), most=9) == [2]


def test_a_pause_that_trades_make_all_the_time_is_not() -> None:
    trades = times(1, 5, 2, 9, 3, 1, 12, 4, 2, 7)

    assert quiet_after(trades, most=9) == []
    assert quiet_after([*trades, trades[-1] + 60, trades[-1] + 62], most=9) == [10]


def test_several_things_at_one_moment_are_one_moment() -> None:
    symbols = [at for at in times(60, 60, 60, 600, 60) for _ in range(12)]

    assert quiet_after(symbols, most=9) == [47]


def test_of_too_many_the_longest_are_given_in_order() -> None:
    series = times(*[60] * 40, 500, 60, 300, 60, 400)

    assert quiet_after(series, most=2) == [40, 44]


def test_what_is_not_over_the_least_is_not_quiet() -> None:
    series = times(*[1] * 20, 50, 1, 90)

    assert quiet_after(series, most=9, least_ns=50) == [22]


@pytest.mark.parametrize("few", [[], [5], [5, 10], times(1, 1, 900)])
def test_a_few_moments_have_nothing_usual(few: list[int]) -> None:
    assert quiet_after(few, most=9) == []


@given(st.lists(st.integers(0, 10**15), max_size=200).map(sorted), st.integers(0, 20))
def test_it_is_never_the_usual_and_never_more_than_asked(series: list[int], most: int) -> None:
    found = quiet_after(series, most=most)

    assert found == sorted(set(found))
    assert len(found) <= min(most, len(series) // 10 + 1)
    assert all(series[at + 1] > series[at] for at in found)
