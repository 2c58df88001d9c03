"""TA-Lib as the oracle: each indicator that it has, equal to one part in 10**9."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from strategies import indicators, momentum, regression, rolling, volatility, wilder
from strategies.indicators import Ema, Sma
from strategies.momentum import EfficiencyRatio, Macd, RateOfChange
from strategies.regression import Regression
from strategies.rolling import Donchian, Moments, ZScore
from strategies.volatility import EwmaVolatility, RollingVolatility
from strategies.wilder import Atr, Rsi, WilderMean

talib: Any = pytest.importorskip("talib", reason="TA-Lib, the oracle, is not installed")
numpy: Any = pytest.importorskip("numpy", reason="numpy, which TA-Lib needs, is not installed")

BARS = 3_000
REL = 1e-9


@pytest.fixture(scope="module", params=[60_000.0, 1.0, 1e-5], ids=["btc", "coin", "meme"])
def bars(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    """Highs, lows and closes of a random walk with calm and wild days, seeded."""
    chance = Random(19_05_2021)
    close, rows = request.param, []
    for place in range(BARS):
        scale = 1e-4 if place // 500 % 2 else 1e-2
        opened, close = close, close * (1 + chance.gauss(0, scale))
        high = max(opened, close) * (1 + abs(chance.gauss(0, scale)))
        low = min(opened, close) * (1 - abs(chance.gauss(0, scale)) / 2)
        rows.append((high, low, close))
    highs, lows, closes = (numpy.array(column) for column in zip(*rows, strict=True))
    return highs, lows, closes


def assert_equal(ours: Sequence[float], theirs: Any, scale: Any = None, since: int = 0) -> None:
    """Equal to 1e-9 of the value, or of `scale` where a value passes through 0."""
    mine = numpy.array(ours)
    assert numpy.isfinite(mine[-1])
    assert (numpy.isnan(mine) == numpy.isnan(theirs)).all(), "they begin at one bar"
    sound = ~numpy.isnan(theirs)
    sound[:since] = False
    size = numpy.abs(theirs) if scale is None else numpy.broadcast_to(scale, mine.shape)
    distance = numpy.abs(mine - theirs)[sound] / size[sound]
    assert distance.max() < REL, distance.max()


@pytest.mark.parametrize("period", [2, 14, 50])
def test_rsi(bars: Any, period: int) -> None:
    rsi = Rsi(period)

    assert_equal([rsi.update(x) for x in bars[2].tolist()], talib.RSI(bars[2], period))


@pytest.mark.parametrize("period", [2, 14, 50])
def test_average_true_range(bars: Any, period: int) -> None:
    atr = Atr(period)
    rows = zip(*(column.tolist() for column in bars), strict=True)

    assert_equal([atr.update(*row) for row in rows], talib.ATR(*bars, period))


@pytest.mark.parametrize("period", [2, 20, 500])
def test_donchian_channel(bars: Any, period: int) -> None:
    channel, upper, lower = Donchian(period), [], []
    for high, low in zip(bars[0].tolist(), bars[1].tolist(), strict=True):
        channel.update(high, low)
        upper.append(channel.upper)
        lower.append(channel.lower)

    assert_equal(upper, talib.MAX(bars[0], period))
    assert_equal(lower, talib.MIN(bars[1], period))


@pytest.mark.parametrize("period", [2, 20, 500])
def test_bollinger_bands(bars: Any, period: int) -> None:
    moments, middle, upper = Moments(period), [], []
    for close in bars[2].tolist():
        middle.append(moments.update(close))
        upper.append(middle[-1] + 2 * moments.deviation)
    # TA-Lib squares prices; what that leaves of a small variance is why ours does not.
    theirs = talib.BBANDS(bars[2], period, 2.0, 2.0, 0)

    assert_equal(middle, theirs[1])
    assert_equal(upper, theirs[0], since=period)


@pytest.mark.parametrize("period", [2, 20])
def test_deviation(bars: Any, period: int) -> None:
    moments, deviations = Moments(period), []
    for close in bars[2].tolist():
        moments.update(close)
        deviations.append(moments.deviation)

    assert_equal(deviations, talib.STDDEV(bars[2], period, 1.0), scale=bars[2])


@pytest.mark.parametrize("period", [1, 20, 500])
def test_rate_of_change(bars: Any, period: int) -> None:
    roc = RateOfChange(period)

    ours = [roc.update(x) for x in bars[2].tolist()]

    assert_equal(ours, talib.ROCP(bars[2], period), scale=1.0)


@pytest.mark.parametrize("periods", [(12, 26, 9), (3, 10, 16)])
def test_macd_from_its_warm_up_on(bars: Any, periods: tuple[int, int, int]) -> None:
    macd, values, signals = Macd(*periods), [], []
    for close in bars[2].tolist():
        signals.append(macd.update(close))
        values.append(macd.value)
    theirs = talib.MACD(bars[2], *periods)

    # It begins each mean at the mean of a first window, we at the first value.
    assert_equal(values, theirs[0], scale=bars[2], since=macd.warmup_values)
    assert_equal(signals, theirs[1], scale=bars[2], since=macd.warmup_values)


@pytest.mark.parametrize("period", [2, 20, 200])
def test_simple_mean(bars: Any, period: int) -> None:
    sma = Sma(period)

    assert_equal([sma.update(x) for x in bars[2].tolist()], talib.SMA(bars[2], period))


@pytest.mark.parametrize("period", [2, 20])
def test_exponential_mean_from_its_warm_up_on(bars: Any, period: int) -> None:
    ema = Ema(period)

    ours = [ema.update(x) for x in bars[2].tolist()]

    assert_equal(ours, talib.EMA(bars[2], period), since=ema.warmup_values)


@pytest.mark.parametrize("period", [2, 14, 50])
def test_wilders_mean_from_its_warm_up_on(bars: Any, period: int) -> None:
    """Its weight is 1 / n, which is that of an exponential mean of 2 n - 1."""
    mean = WilderMean(period)

    ours = [mean.update(x) for x in bars[2].tolist()]
    theirs = talib.EMA(bars[2], 2 * period - 1)

    since = mean.warmup_values
    assert numpy.isfinite(ours[-1])
    assert (numpy.abs(numpy.array(ours) - theirs) / theirs)[since:].max() < REL


@pytest.mark.parametrize("period", [5, 20, 200])
def test_z_score(bars: Any, period: int) -> None:
    """Of returns: TA-Lib squares what it is given, and of prices that leaves few digits."""
    returns = bars[2][1:] / bars[2][:-1] - 1
    score, theirs = ZScore(period), talib.STDDEV(returns, period, 1.0)

    ours = [score.update(x) for x in returns.tolist()]

    distance = (returns - talib.SMA(returns, period)) / theirs
    assert_equal(ours, distance, scale=1.0)


@pytest.mark.parametrize("period", [2, 20, 200])
def test_efficiency_ratio(bars: Any, period: int) -> None:
    ratio = EfficiencyRatio(period)

    ours = [ratio.update(x) for x in bars[2].tolist()]

    path = talib.SUM(numpy.abs(numpy.diff(bars[2])), period)
    theirs = numpy.abs(talib.MOM(bars[2], period))[1:] / path
    assert_equal(ours[1:], theirs, scale=1.0)


@pytest.mark.parametrize("period", [5, 20, 200])
def test_rolling_volatility(bars: Any, period: int) -> None:
    volatility, returns = RollingVolatility(period), numpy.diff(numpy.log(bars[2]))

    ours = [volatility.update(x) for x in bars[2].tolist()]

    assert_equal(ours[1:], talib.STDDEV(returns, period, 1.0))


@pytest.mark.parametrize("period", [5, 20])
def test_weighted_volatility_from_its_warm_up_on(bars: Any, period: int) -> None:
    """n bars are the centre of mass of an exponential mean of 2 n + 1."""
    volatility, returns = EwmaVolatility(period), numpy.diff(numpy.log(bars[2]))

    ours = numpy.array([volatility.update(x) for x in bars[2].tolist()])
    theirs = numpy.sqrt(talib.EMA(returns**2, 2 * period + 1))

    since = volatility.warmup_values
    assert (numpy.abs(ours[1:] - theirs) / theirs)[since:].max() < REL


@pytest.mark.parametrize("period", [5, 30, 200])
def test_correlation(bars: Any, period: int) -> None:
    """Of the returns: TA-Lib sums squares as they are, and of prices that leaves few digits."""
    line = Regression(period)
    returns = [numpy.diff(column) / column[:-1] for column in (bars[0], bars[2])]
    found = [(line.update(x, y), line.correlation)[1] for x, y in _pairs(*returns)]

    assert_equal(found, talib.CORREL(*returns, period), scale=1.0)


@pytest.mark.parametrize("period", [5, 30, 200])
def test_slope_over_time(bars: Any, period: int) -> None:
    line = Regression(period)
    slopes = [line.update(float(place), y) for place, y in enumerate(bars[2].tolist())]

    assert_equal(slopes, talib.LINEARREG_SLOPE(bars[2], period), scale=bars[2] / period)


@pytest.mark.parametrize("period", [5, 30, 200])
def test_beta(bars: Any, period: int) -> None:
    """TA-Lib's is of returns, and its second market is moved by its first."""
    line = Regression(period)
    returns = [numpy.diff(column) / column[:-1] for column in (bars[0], bars[2])]
    slopes = [line.update(x, y) for x, y in _pairs(*returns)]

    assert_equal(slopes, talib.BETA(bars[0], bars[2], period)[1:], scale=1.0)


def test_no_indicator_is_without_its_oracle() -> None:
    files = (indicators, momentum, regression, rolling, volatility, wilder)
    there = {
        name
        for module in files
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }

    assert {"Sma", "Atr", "ZScore"} < there
    assert there - {"Highest", "Lowest"} <= set(globals()), "those two are the Donchian channel's"


def _pairs(first: Any, second: Any) -> list[tuple[float, float]]:
    return list(zip(first.tolist(), second.tolist(), strict=True))
