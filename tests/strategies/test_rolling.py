"""The windowed and the smoothed indicators, against plain computations in exact fractions."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.momentum import EfficiencyRatio, Macd, RateOfChange
from strategies.rolling import Donchian, Highest, Lowest, Moments, ZScore
from strategies.volatility import EwmaVolatility, RollingVolatility
from strategies.wilder import Atr, Rsi, WilderMean

SCALES = st.sampled_from([1e-9, 1e-4, 1.0, 1e5, 1e12])
STEPS = st.lists(st.integers(1, 200_000), min_size=1, max_size=80)
"""Prices in steps of a ten-thousandth of the scale: leaps of five digits, and stretches at rest."""
PERIODS = st.integers(1, 12)

OF_CLOSES: dict[str, Callable[[int], Any]] = {
    "highest": Highest,
    "lowest": Lowest,
    "moments": Moments,
    "z-score": ZScore,
    "rsi": Rsi,
    "wilder": WilderMean,
    "rate of change": RateOfChange,
    "efficiency": EfficiencyRatio,
    "macd": lambda period: Macd(period, period + 3, 4),
    "ewma volatility": EwmaVolatility,
    "rolling volatility": RollingVolatility,
}
every_indicator = pytest.mark.parametrize("make", OF_CLOSES.values(), ids=OF_CLOSES.keys())


def prices_of(steps: Sequence[int], scale: float) -> list[float]:
    return [scale * (step / 10_000) for step in steps]


def exact_moments(window: Sequence[float]) -> tuple[Fraction, Fraction]:
    values = [Fraction(value) for value in window]
    mean = sum(values, Fraction(0)) / len(values)
    return mean, sum(((value - mean) ** 2 for value in values), Fraction(0)) / len(values)


@pytest.mark.slow
@given(steps=STEPS, scale=SCALES, period=PERIODS)
def test_the_channel_is_the_window_s_highest_and_lowest(
    steps: list[int], scale: float, period: int
) -> None:
    prices, channel = prices_of(steps, scale), Donchian(period)

    for place, price in enumerate(prices, 1):
        channel.update(price * 2, price)
        if place >= period:
            window = prices[place - period : place]
            assert (channel.upper, channel.lower) == (2 * max(window), min(window))
        else:
            assert math.isnan(channel.upper)
            assert math.isnan(channel.lower)


@pytest.mark.slow
@given(steps=STEPS, scale=SCALES, period=PERIODS)
def test_mean_and_variance_are_those_of_exact_fractions(
    steps: list[int], scale: float, period: int
) -> None:
    prices, moments = prices_of(steps, scale), Moments(period)

    for place, price in enumerate(prices, 1):
        moments.update(price)
        if place < period:
            assert math.isnan(moments.variance)
            continue
        mean, variance = exact_moments(prices[place - period : place])
        assert moments.mean == pytest.approx(float(mean), rel=1e-14)
        assert moments.variance == pytest.approx(float(variance), rel=1e-9, abs=0.0)


@given(price=st.floats(1e-9, 1e12), before=STEPS, period=st.integers(2, 40))
def test_a_market_at_rest_has_no_variance_whatever_came_before(
    price: float, before: list[int], period: int
) -> None:
    moments, z_score = Moments(period), ZScore(period)

    for value in [*prices_of(before, price), *[price] * period]:
        moments.update(value)
        z_score.update(value)

    assert moments.mean == price
    assert moments.variance == 0.0
    assert z_score.value == 0.0


def test_a_z_score_counts_deviations() -> None:
    z_score = ZScore(4)

    values = [z_score.update(value) for value in (1.0, 1.0, 1.0, 5.0)]

    assert values[3] == pytest.approx(3 / math.sqrt(3), rel=1e-15)


@settings(max_examples=settings().max_examples // 2)
@given(steps=STEPS, scale=SCALES, period=PERIODS)
def test_efficiency_is_the_way_made_over_the_way_gone(
    steps: list[int], scale: float, period: int
) -> None:
    prices, ratio = prices_of(steps, scale), EfficiencyRatio(period)

    for place, price in enumerate(prices):
        ratio.update(price)
        if place < period:
            assert math.isnan(ratio.value)
            continue
        window = [Fraction(value) for value in prices[place - period : place + 1]]
        path = sum(abs(b - a) for a, b in pairwise(window))
        expected = abs(window[-1] - window[0]) / path if path else Fraction(0)
        assert ratio.value == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


def test_a_straight_line_is_all_efficiency() -> None:
    ratio = EfficiencyRatio(5)
    assert [ratio.update(float(value)) for value in range(1, 8)][-1] == 1.0


@pytest.mark.slow
@settings(max_examples=settings().max_examples // 2)
@given(steps=STEPS, scale=SCALES, period=PERIODS)
def test_rolling_volatility_is_the_deviation_of_log_returns(
    steps: list[int], scale: float, period: int
) -> None:
    prices, volatility = prices_of(steps, scale), RollingVolatility(period)

    for place, price in enumerate(prices):
        volatility.update(price)
        if place < period:
            assert math.isnan(volatility.value)
            continue
        window = prices[place - period : place + 1]
        _, variance = exact_moments([math.log(b / a) for a, b in pairwise(window)])
        assert volatility.value == pytest.approx(math.sqrt(variance), rel=1e-9, abs=1e-300)


@given(steps=STEPS, period=PERIODS)
def test_ewma_volatility_weighs_squared_returns_by_their_age(steps: list[int], period: int) -> None:
    prices, volatility = prices_of(steps, 100.0), EwmaVolatility(period)
    decay = period / (period + 1)

    values = [volatility.update(price) for price in prices]

    squares = [math.log(b / a) ** 2 for a, b in pairwise(prices)]
    if len(squares) < period:
        assert all(map(math.isnan, values))
        return
    weights = [(1 - decay) * decay**age for age in range(len(squares))]
    weights[-1] = decay ** (len(squares) - 1)  # the first has the weight of all before it
    expected = math.sqrt(math.fsum(map(float.__mul__, weights, reversed(squares))))
    assert values[-1] == pytest.approx(expected, rel=1e-9)


def test_a_market_that_stands_still_is_neither_overbought_nor_oversold() -> None:
    rsi = Rsi(3)
    for price in (100.0, 90.0, *[90.0] * 120):
        rsi.update(price)
    assert rsi.value == 50.0


def test_a_market_that_only_rose_is_at_a_hundred() -> None:
    rsi = Rsi(3)
    assert [rsi.update(price) for price in (1.0, 2.0, 3.0, 4.0)][-1] == 100.0


def test_a_gap_is_part_of_the_true_range() -> None:
    atr = Atr(1)
    atr.update(101.0, 99.0, 100.0)
    assert atr.update(91.0, 90.0, 90.5) == 10.0


@pytest.mark.slow
@given(price=st.floats(1e-9, 1e12), period=st.integers(2, 8))
def test_one_price_for_ever_gives_numbers_and_no_error(price: float, period: int) -> None:
    for name, make in OF_CLOSES.items():
        indicator = make(period)

        values = [indicator.update(price) for _ in range(40)]

        assert math.isfinite(values[-1]), name


@settings(max_examples=settings().max_examples // 4)
@given(steps=st.lists(st.integers(1, 200_000), min_size=20, max_size=40), scale=SCALES)
def test_no_nan_once_there_was_a_number(steps: list[int], scale: float) -> None:
    for name, make in OF_CLOSES.items():
        indicator = make(3)

        values = [indicator.update(price) for price in prices_of(steps, scale)]

        numbers = [math.isfinite(value) for value in values]
        assert numbers[-1], name
        assert numbers == sorted(numbers), name


@every_indicator
def test_warmed_up_as_long_as_it_asks_it_is_as_good_as_an_old_one(
    make: Callable[[int], Any],
) -> None:
    prices = [100.0 + 7 * math.sin(place) + 3 * math.sin(place / 50) for place in range(900)]
    old, new = make(7), make(7)

    for price in [1e6, 1e-3, *prices]:
        old.update(price)
    for price in prices[-new.warmup_values :]:
        new.update(price)

    value = getattr(new, "value", None) or new.mean
    assert value == pytest.approx(getattr(old, "value", None) or old.mean, rel=1e-7, abs=1e-9)


def test_an_average_true_range_warmed_up_as_long_as_it_asks_is_as_good_as_an_old_one() -> None:
    bars = [(101.0 + math.sin(p), 99.0 + math.cos(p), 100.0 + math.sin(p / 9)) for p in range(900)]
    old, new = Atr(7), Atr(7)

    for bar in [(1e6, 1.0, 1e3), *bars]:
        old.update(*bar)
    for bar in bars[-new.warmup_values :]:
        new.update(*bar)

    assert new.value == pytest.approx(old.value, rel=1e-9)


def drifted(count: int) -> tuple[Moments, EfficiencyRatio, list[float]]:
    """After `count` values with leaps of nine digits, what the last window gives."""
    moments, ratio, prices = Moments(50), EfficiencyRatio(50), []
    for place in range(count):
        leap = 1e9 if place % 9_973 == 0 else 0.0
        prices.append(61_480.2 + leap + place * 7_919 % 1_009 / 100)
        moments.update(prices[-1])
        ratio.update(prices[-1])
    return moments, ratio, prices[-51:]


def assert_no_drift(count: int) -> None:
    moments, ratio, window = drifted(count)
    mean, variance = exact_moments(window[1:])
    path = math.fsum(abs(b - a) for a, b in pairwise(window))
    assert moments.mean == pytest.approx(float(mean), rel=1e-14)
    assert moments.variance == pytest.approx(float(variance), rel=1e-11)
    assert ratio.value == pytest.approx(abs(window[-1] - window[0]) / path, rel=1e-11)


def test_running_sums_do_not_drift() -> None:
    assert_no_drift(30_000)


@pytest.mark.slow
def test_running_sums_do_not_drift_over_a_million_values() -> None:
    assert_no_drift(1_000_000)
