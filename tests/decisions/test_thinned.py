"""A thinned series keeps its ends, its peaks and its troughs, and no more than it may."""

import random

from hypothesis import given
from hypothesis import strategies as st

from decisions.thinned import Thinned


@given(
    count=st.integers(1, 400),
    seed=st.integers(0, 9),
    steps=st.sampled_from([[1], [1, 1, 1, 50], [0, 3]]),
    sizes=st.integers(1, 90),
    most=st.integers(24, 60),
)
def test_no_extreme_and_no_end_is_lost_and_it_stays_small(
    count: int, seed: int, steps: list[int], sizes: int, most: int
) -> None:
    values = random.Random(seed).choices(range(-1_000, 1_000), k=count)
    times = [sum(steps[n % len(steps)] for n in range(at)) for at in range(len(values))]
    other = [float(abs(value)) for value in values]
    thinned = Thinned(2, most)
    for start in range(0, len(values), sizes):
        stop = start + sizes
        thinned.take(times[start:stop], [[float(v) for v in values[start:stop]], other[start:stop]])

    rows = list(zip(thinned.times_ns, *thinned.columns, strict=True))
    whole = list(zip(times, [float(v) for v in values], other, strict=True))
    assert set(rows) <= set(whole)
    assert (rows[0], rows[-1]) == (whole[0], whole[-1])
    assert thinned.times_ns == sorted(thinned.times_ns)
    for column, all_of_it in zip(thinned.columns, ([float(v) for v in values], other), strict=True):
        assert (min(column), max(column)) == (min(all_of_it), max(all_of_it))
    assert thinned.points == len(values)
    assert len(rows) <= most or len(values) <= most


def test_a_short_series_is_kept_as_it_is() -> None:
    thinned = Thinned(1, 10)
    thinned.take([1, 2, 3], [[5.0, 4.0, 6.0]])

    assert (thinned.times_ns, thinned.columns) == ([1, 2, 3], [[5.0, 4.0, 6.0]])
