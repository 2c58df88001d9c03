"""Each strategy, candle after candle, trades what its rule gives on whole columns."""

import os
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from messages.market import Candle
from strategies.ensemble import EnsembleParams
from tests.strategies import plain
from tests.strategies.market import TRIED, Trade, generated, make, recorded, trades

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
EVERY = sorted(TRIED)
SIDES = ("buy", "sell")


def defaults() -> dict[str, dict[str, Any]]:
    return {
        name: msgspec.structs.asdict(struct())
        for name in plain.SIGNALS
        if not name.endswith("_cross")  # what they take has no default
        and (struct := getattr(type(make(name)), "Params", None)) is not None
    }


def own_ensemble(params: dict[str, Any]) -> dict[str, Any]:
    """An ensemble's own defaults, beside the parameters that it needs."""
    return msgspec.structs.asdict(msgspec.convert(params, EnsembleParams))


def plain_trades(name: str, candles: Sequence[Candle]) -> list[Trade]:
    own = defaults()
    p = {**own.get(name, {}), **TRIED[name]}
    match name:
        case "donchian_breakout":
            return plain.donchian_trades(candles, p)
        case "time_series_momentum":
            return plain.momentum_trades(candles, p)
        case "grid":
            return plain.grid_trades(candles, p)
        case "ensemble":
            return plain.long_flat(candles, plain.ensemble_signals(candles, p, own))
        case _:
            return plain.long_flat(candles, plain.SIGNALS[name](candles, p))


WEEK = "permissive/binance_BTCUSDT_2026-06"


@pytest.fixture(scope="module")
def day() -> list[Candle]:
    return recorded(WEEK, count=1_500)


@pytest.fixture(scope="module")
def week() -> list[Candle]:
    return recorded(WEEK)


@pytest.mark.parametrize("name", EVERY)
def test_a_generated_market_is_traded_as_the_rule_says(name: str) -> None:
    candles = generated(2_000, seed=5)

    made = trades(make(name), candles)

    assert made == plain_trades(name, candles)
    assert len(made) >= 4, "a market without trades shows nothing"


def test_an_ensemble_of_trend_followers_enters_in_trends_alone_and_leaves_in_ranges_too() -> None:
    params = {
        "members": [
            {"uses": name, "regime": "trend"} for name in ("donchian_breakout", "macd_trend")
        ],
        "trend_from": 0.3,
        "regime_period": 20,
    }
    candles = generated(3_000, seed=8)
    own = defaults()

    made = trades(make("ensemble", params), candles)

    p = {**own_ensemble(params), **params}
    assert made == plain.long_flat(candles, plain.ensemble_signals(candles, p, own))
    straight = plain.efficiency([float(bar.close) for bar in candles], 20)
    ratios = {side: [straight[i] or 0.0 for i, s, _ in made if s == side] for side in SIDES}
    assert min(ratios["buy"]) >= 0.3
    assert min(ratios["sell"]) < 0.3


@pytest.mark.parametrize("name", EVERY)
def test_a_recorded_day_is_traded_as_the_rule_says(name: str, day: list[Candle]) -> None:
    assert trades(make(name), day) == plain_trades(name, day)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_a_recorded_week_is_traded_as_the_rule_says(name: str, week: list[Candle]) -> None:
    made = trades(make(name), week)

    assert made == plain_trades(name, week)
    assert len(made) >= 4


@pytest.mark.stress
@pytest.mark.skipif(not STRESS, reason="the long form: tox -e stress")
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    "market",
    ["binance-2021/BTC_USDT", "binance-2023/BTC_USDT", "stress-2023-03-usdc/binance_BTCUSDC"],
)
def test_recorded_months_are_traded_as_the_rule_says(name: str, market: str) -> None:
    candles = recorded(market)

    assert trades(make(name), candles) == plain_trades(name, candles)
