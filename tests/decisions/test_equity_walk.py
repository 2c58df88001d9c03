"""How deep and how long a curve fell, held against a walk that looks at every pair of points."""

from itertools import product
from math import isclose, prod

from hypothesis import given
from hypothesis import strategies as st

from decisions.equity_walk import EquityWalk
from messages.ids import DAY_NS

profits = st.lists(st.integers(-40, 40), min_size=1, max_size=25)
gaps = st.lists(st.sampled_from([0, 1, 7, DAY_NS // 3, 2 * DAY_NS]), min_size=25, max_size=25)


def walked(
    points: list[tuple[int, float]], sizes: int, *, falls: bool = True, **begin: float
) -> EquityWalk:
    walk = EquityWalk(**begin)
    for start in range(0, len(points), sizes):
        some = points[start : start + sizes]
        go = walk.take if falls else walk.pass_by
        go([ts_ns for ts_ns, _ in some], [profit for _, profit in some])
    return walk


@given(
    values=profits,
    steps=gaps,
    sizes=st.integers(1, 7),
    start=st.sampled_from([0, 5]),
    with_falls=st.booleans(),
)
def test_it_is_what_every_pair_of_points_says(
    values: list[int], steps: list[int], sizes: int, start: int, *, with_falls: bool
) -> None:
    times = [sum(steps[: n + 1]) for n in range(len(values))]
    walk = walked(
        [(t, float(v)) for t, v in zip(times, values, strict=True)],
        sizes,
        falls=with_falls,
        capital=100.0,
        start=float(start),
    )

    peaks = [max([start, *values[: n + 1]]) for n in range(len(values))]
    falls = [peak - value for peak, value in zip(peaks, values, strict=True)]
    assert walk.drawdown == max(falls)
    shares = [fall / (100 + peak) for fall, peak in zip(falls, peaks, strict=True)]
    assert walk.drawdown_share == max(shares)
    # The longest stretch below a peak: from the last point at it until the next one, or the end.
    longest, since = 0, times[0]
    for n, (fall, ts_ns) in enumerate(zip(falls, times, strict=True)):
        if not fall:
            longest = max(longest, ts_ns - since if n and falls[n - 1] else 0)
            since = ts_ns
    now = times[-1] - since if falls[-1] else 0
    assert walk.longest_ns == max(longest, now)
    assert walk.is_longest_open == (now > longest)
    assert walk.days == {(t - 1) // DAY_NS: v for t, v in zip(times, values, strict=True)}
    assert isclose(prod(1 + one for one in walk.returns()), (100 + values[-1]) / (100 + start))


def test_the_deepest_fall_has_its_peak_and_its_bottom() -> None:
    points = [(1, 0.0), (2, 9.0), (3, 9.0), (4, 2.0), (5, 1.0), (6, 12.0), (7, 8.0)]

    for sizes, falls in product((1, 2, 3, 7), (True, False)):
        walk = walked(points, sizes, falls=falls)
        assert (walk.fell_from_ns, walk.fell_until_ns, walk.drawdown) == (3, 5, 8.0)


def test_what_never_fell_was_never_below_its_peak() -> None:
    walk = walked([(1, 0.0), (DAY_NS, 0.0), (2 * DAY_NS, 3.0)], 2)

    assert (walk.drawdown, walk.longest_ns, walk.is_longest_open) == (0.0, 0, False)


def test_without_any_capital_a_fall_is_no_part_of_anything() -> None:
    walk = walked([(1, 5.0), (2, -5.0)], 2)

    assert (walk.drawdown, walk.drawdown_share) == (10.0, 0.0)
