"""The rolling line through two columns, against the same computed in exact fractions."""

import math
from collections.abc import Sequence
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.regression import Regression

NEAR = 1e-9
POINTS = st.lists(
    st.tuples(st.integers(1, 200_000), st.integers(1, 200_000)), min_size=1, max_size=60
)
SCALES = st.sampled_from([1e-6, 1.0, 1e6])


def exact(window: Sequence[tuple[float, float]]) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Give the slope, the squared correlation, the residuals' variance and the newest residual."""
    count = len(window)
    xs, ys = ([Fraction(one) for one in column] for column in zip(*window, strict=True))
    mean_x, mean_y = sum(xs, Fraction(0)) / count, sum(ys, Fraction(0)) / count
    xx = sum(((x - mean_x) ** 2 for x in xs), Fraction(0))
    yy = sum(((y - mean_y) ** 2 for y in ys), Fraction(0))
    xy = sum(((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)), Fraction(0))
    slope = xy / xx if xx else Fraction(0)
    residuals = [y - mean_y - slope * (x - mean_x) for x, y in zip(xs, ys, strict=True)]
    variance = sum((one * one for one in residuals), Fraction(0)) / count
    squared = xy * xy / (xx * yy) if xx and yy else Fraction(0)
    return slope, squared, variance, residuals[-1]


@pytest.mark.slow
@given(points=POINTS, period=st.integers(2, 12), scale_x=SCALES, scale_y=SCALES)
def test_it_is_the_line_of_least_squares(
    points: list[tuple[int, int]], period: int, scale_x: float, scale_y: float
) -> None:
    line, seen = Regression(period), list[tuple[float, float]]()

    for x, y in points:
        seen.append((scale_x * x / 10_000, scale_y * y / 10_000))
        line.update(*seen[-1])
        if len(seen) < period:
            assert all(math.isnan(v) for v in (line.slope, line.score, line.deviation))
            continue
        slope, squared, variance, residual = exact(seen[-period:])
        assert line.slope == pytest.approx(float(slope), rel=NEAR, abs=NEAR * scale_y / scale_x)
        assert line.correlation**2 == pytest.approx(float(squared), abs=1e-7)
        deviation = math.sqrt(variance)
        widest = scale_y * 20  # what is left of a line through all points is a rounding of it
        assert line.deviation == pytest.approx(deviation, rel=1e-6, abs=1e-6 * widest)
        if slope and squared < 1 - Fraction(1, 10_000):
            assert line.score == pytest.approx(float(residual) / deviation, rel=1e-6, abs=1e-6)


@given(st.integers(2, 30), st.integers(1, 10**6), st.floats(0.1, 10))
def test_where_nothing_is_off_the_line_nothing_is_unusual(
    period: int, start: int, slope: float
) -> None:
    at_rest, on_the_line = Regression(period), Regression(period)
    chance = Random(start)
    x = float(start)

    for _ in range(3 * period):
        at_rest.update(float(start), chance.random())
        x *= 1 + chance.uniform(-0.01, 0.01)
        on_the_line.update(x, slope * x)

    assert (at_rest.slope, at_rest.score) == (0, 0)
    assert on_the_line.score == 0
    assert on_the_line.slope == pytest.approx(slope, rel=1e-6)


def test_what_has_left_the_window_leaves_no_trace() -> None:
    """A leap of six digits passes through; one that never saw it agrees to nine digits."""
    old, fresh, chance = Regression(50), Regression(50), Random(7)
    points = [(100 + chance.random(), 50 + chance.random()) for _ in range(400)]
    points[100] = (1e8, 1e-8)

    for place, point in enumerate(points):
        old.update(*point)
        if place >= 340:
            fresh.update(*point)

    for name in ("slope", "score", "deviation", "correlation"):
        assert getattr(old, name) == pytest.approx(getattr(fresh, name), rel=NEAR)
