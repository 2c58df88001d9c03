from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from decisions.histogram import RELATIVE_ERROR, LatencyHistogram

latencies = st.lists(st.integers(0, 2**44 - 1), min_size=1, max_size=2_000)


def filled(values: list[int]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_an_empty_histogram_answers_zero() -> None:
    assert LatencyHistogram().summary() == {"count": 0, "max": 0, "p50": 0, "p95": 0, "p99": 0}


@given(values=latencies, percent=st.floats(0, 100))
def test_a_percentile_is_off_by_no_more_than_it_says(values: list[int], percent: float) -> None:
    exact = sorted(values)[max(1, ceil(len(values) * percent / 100)) - 1]

    told = filled(values).percentile(percent)

    assert abs(told - exact) <= exact * RELATIVE_ERROR


@given(values=latencies)
def test_the_count_and_the_maximum_are_exact(values: list[int]) -> None:
    histogram = filled(values)

    assert histogram.count == len(values)
    assert histogram.max == histogram.percentile(100) == max(values)


@given(one=latencies, other=latencies)
def test_two_merged_are_one_that_counted_all(one: list[int], other: list[int]) -> None:
    merged = filled(one)

    merged.merge(filled(other))

    assert merged.summary() == filled(one + other).summary()


@given(values=latencies)
def test_asking_changes_nothing(values: list[int]) -> None:
    histogram = filled(values)

    assert histogram.summary() == histogram.summary()


def test_its_memory_does_not_grow_with_what_it_counts() -> None:
    histogram = filled([7, 2**50] * 50_000)

    assert len(histogram._buffer) + len(histogram._counts) < 2_000
    assert histogram.count == 100_000


def test_a_latency_beyond_five_hours_or_before_zero_is_counted_all_the_same() -> None:
    histogram = filled([-5, 2**60])

    assert histogram.count == 2
    assert histogram.percentile(50) == 0
    assert histogram.max == 2**60


def test_no_percentile_is_off_by_more_than_a_sixteenth() -> None:
    assert RELATIVE_ERROR <= 1 / 16
