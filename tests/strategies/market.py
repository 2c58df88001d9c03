"""Recorded and generated candles, and what a strategy trades on them."""

import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.market import Candle
from messages.values import Instrument
from strategies import Strategy, build

BTC = Instrument(symbol=Symbol("BTC/USDT"))
NOTIONAL = Decimal(1_000)
MINUTE_NS = 60 * NS_PER_S
_BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
DATA = Path(os.environ.get("WATCHKEEPER_DATA") or _BESIDE) / "candles_1m"

Trade = tuple[int, str, Decimal]
"""The place of the candle, buy or sell, the quantity."""

# What each is tried with: every strategy trades on one-minute candles of a week.
ENSEMBLE: dict[str, Any] = {
    "members": [
        {"uses": "macd_trend", "weight": 2.0, "regime": "trend", "params": {"trend": 100}},
        {"uses": "donchian_breakout", "regime": "trend"},
        {"uses": "rsi_reversion", "regime": "range"},
        {"uses": "bollinger_reversion"},
        {"uses": "time_series_momentum", "params": {"lookback": 240}},
    ],
    "vote_bars": 15,
    "enter": 0.3,
    "leave": 0.3,
    "regime_period": 30,
    "trend_from": 0.25,
}
TRIED: dict[str, dict[str, Any]] = {
    "sma_cross": {"fast": 10, "slow": 30},
    "ema_cross": {"fast": 10, "slow": 30},
    "donchian_breakout": {"entry": 55, "exit": 20, "stop_atrs": 3.5, "capital": "500"},
    "rsi_reversion": {},
    "bollinger_reversion": {},
    "macd_trend": {},
    "time_series_momentum": {"lookback": 240, "band": 0.1},
    "grid": {"lower": "15000", "upper": "70000", "cells": 60, "spacing": "ratio"},
    "ensemble": ENSEMBLE,
}


def recorded(name: str, since: int = 0, count: int | None = None) -> list[Candle]:
    """Candles of a file under candles_1m; the test is skipped where it is not at hand."""
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"recorded market data is not at hand ({path})")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    columns = parquet.read_table(path).slice(since, count).to_pydict()
    prices = ([Decimal(repr(x)) for x in columns[name]] for name in _PRICES)
    opened = [TimestampNs(ts * 1_000_000) for ts in columns["ts"]]
    return [candle(ts, *row) for ts, *row in zip(opened, *prices, strict=True)]


def candle(
    opened: TimestampNs, o: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal
) -> Candle:
    return Candle(
        symbol=BTC.symbol,
        open=o,
        high=high,
        low=low,
        close=close,
        volume=volume,
        ts_open_ns=opened,
        ts_event_ns=TimestampNs(opened + MINUTE_NS),
    )


_PRICES = ("open", "high", "low", "close", "volume")


def generated(count: int, seed: int, start: float = 30_000.0) -> list[Candle]:
    """A random walk with calm stretches, rests, trends and falls; on the tick."""
    chance = Random(seed)
    close, candles = start, []
    for place in range(count):
        mood = place // 97 % 4
        drift, scale = ((0.0, 0.0), (0.0004, 0.0005), (-0.0006, 0.002), (0.0, 0.001))[mood]
        opened, close = close, round(close * (1 + chance.gauss(drift, scale)), 2)
        high = round(max(opened, close) * (1 + abs(chance.gauss(0, scale))), 2)
        low = round(min(opened, close) * (1 - abs(chance.gauss(0, scale))), 2)
        row = [Decimal(repr(x)) for x in (opened, high, low, close, 1)]
        candles.append(candle(TimestampNs(place * MINUTE_NS), *row))
    return candles


def make(uses: str, params: dict[str, Any] | None = None) -> Strategy:
    chosen = TRIED[uses] if params is None else params
    return build(uses, chosen, BTC.symbol, NOTIONAL, BTC)


def trades(strategy: Strategy, candles: Iterable[Candle]) -> list[Trade]:
    """What it trades, each order filled at once; it never sells more than it holds."""
    position, made = Decimal(0), []
    for place, bar in enumerate(candles):
        for decision in strategy.on_candle(bar, position):
            position += decision.side.sign * decision.quantity
            assert decision.quantity > 0
            assert position >= 0, "it sold what it does not hold"
            made.append((place, str(decision.side), decision.quantity))
    return made
