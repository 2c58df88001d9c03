"""Series in bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.time_columns import Spread, TimeColumns
from messages.ids import NS_PER_S


def counted(moments: list[int], most: int) -> list[tuple[int, int]]:
    columns: TimeColumns[list[int]] = TimeColumns(list, list.extend, most=most, width_ns=10)
    for ts_ns in moments:
        columns.at(ts_ns).append(ts_ns)
    return [(start, len(cell)) for start, cell in columns]


def test_a_moment_counts_in_the_column_that_it_lies_in() -> None:
    assert counted([100, 101, 109, 110, 139], most=10) == [(100, 3), (110, 1), (130, 1)]


def test_columns_become_wider_instead_of_more() -> None:
    assert counted([0, 10, 20, 30, 40], most=4) == [(0, 2), (20, 2), (40, 1)]


def test_a_clock_that_goes_back_counts_in_the_first_column() -> None:
    assert counted([100, 20, 110], most=4) == [(100, 2), (110, 1)]


@pytest.mark.parametrize("ts_ns", [-1, 0, 1_000, 2_000])
def test_a_moment_out_of_bounds_has_no_column(ts_ns: int) -> None:
    columns: TimeColumns[list[int]] = TimeColumns(list, list.extend, between=(0, 1_000))
    for inside in (1, 999):
        columns.at(inside).append(inside)

    with pytest.raises(ValueError, match=f"{ts_ns} ns is not between 0 and 1000"):
        columns.at(ts_ns)


@given(st.lists(st.integers(0, 10**18), min_size=1, max_size=60), st.integers(1, 20))
def test_nothing_is_lost_and_no_column_is_too_many(moments: list[int], most: int) -> None:
    found = counted(sorted(moments), most)

    assert sum(count for _, count in found) == len(moments)
    assert len(found) <= most


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 20))
def test_in_whatever_order_moments_come_each_is_in_its_column(
    moments: list[int], most: int
) -> None:
    columns: TimeColumns[list[int]] = TimeColumns(list, list.extend, most=most, width_ns=10)
    for ts_ns in moments:
        columns.at(ts_ns).append(ts_ns)

    starts = [start for start, _ in columns]
    for start, cell in columns:
        # What is earlier than the first moment counts in the first column, wherever that lies.
        assert all(start <= ts_ns < start + columns.width_ns for ts_ns in cell) or (
            start == min(starts) and all(ts_ns < start + columns.width_ns for ts_ns in cell)
        )


@given(st.lists(st.integers(0, 10**14), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_off_by_a_sixteenth_at_most(latencies: list[int], percent: int) -> None:
    spread = Spread()
    for ns in latencies:
        spread.add(ns)

    (found,) = spread.percentiles((percent,))
    exact = sorted(latencies)[max(-(-len(latencies) * percent // 100), 1) - 1]

    assert abs(found - exact) <= exact / 16 + 1


@given(st.lists(st.integers(0, NS_PER_S)), st.lists(st.integers(0, NS_PER_S)))
def test_merged_spreads_are_the_spread_of_both(some: list[int], others: list[int]) -> None:
    one, other, both = Spread(), Spread(), Spread()
    for spread, latencies in ((one, some), (other, others), (both, some + others)):
        for ns in latencies:
            spread.add(ns)

    one.merge(other)

    percents = (1.0, 50.0, 99.0, 100.0)
    assert one.percentiles(percents) == both.percentiles(percents)
    assert (one.count, one.greatest) == (both.count, both.greatest)
