"""Built anew at any moment, a strategy decides what the old one would have, to the last digit."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.strategy import StrategyMemory, StrategyRun, new_memory
from messages.ids import AccountId, StrategyId, TimestampNs
from messages.market import Candle
from messages.orders import OrderIntent
from messages.values import Side
from persistence.entries import fingerprint
from strategies import Strategy, build
from strategies.long_flat import LongFlat
from tests.decisions.orders_only import orders
from tests.strategies.market import BTC, MINUTE_NS, NOTIONAL, TRIED, candle, generated, make

SMALL: dict[str, dict[str, Any]] = {
    "donchian_breakout": {"entry": 5, "exit": 3, "atr_period": 2, "stop_atrs": 1.5},
    "rsi_reversion": {"period": 2},
    "bollinger_reversion": {"period": 5, "width": 1.0},
    "macd_trend": {"fast": 2, "slow": 4, "signal": 2, "trend": 6},
    "time_series_momentum": {"lookback": 5, "volatility_period": 2},
}
SMALL["ensemble"] = {
    "members": [{"uses": name, "params": params} for name, params in SMALL.items()],
    "vote_bars": 3,
    "enter": 0.4,
    "leave": 0.4,
    "regime_period": 4,
}
SMALL["ensemble of one"] = {
    "members": [{"uses": "bollinger_reversion", "params": SMALL["bollinger_reversion"]}],
    "vote_bars": 20,
    "regime_period": 4,
}
"""Its member needs no more than it says: here the votes' age alone makes up the rest."""


def small(name: str) -> Strategy:
    return build(name.split()[0], SMALL[name], BTC.symbol, NOTIONAL, BTC)


def run_on(memory: StrategyMemory, name: str) -> StrategyRun:
    account, strategy_id = AccountId("paper"), StrategyId(name)
    return StrategyRun(lambda: make(name), memory, account, strategy_id, BTC.symbol)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TRIED))
def test_crashes_change_no_order(name: str) -> None:
    candles = generated(3_000, seed=11)
    memory = new_memory(make(name).warmup_events)
    quiet, shaken = run_on(new_memory(make(name).warmup_events), name), run_on(memory, name)
    crashes = sorted(Random(3).sample(range(len(candles)), 4))

    expected: list[OrderIntent] = []
    made: list[OrderIntent] = []
    for place, bar in enumerate(candles):
        if place in crashes:
            shaken = run_on(shaken.memory.inherited(), name)
            shaken.warm_up()
        expected += orders(quiet.take(bar, TimestampNs(0)))
        made += orders(shaken.take(bar, TimestampNs(0)))

    # What the ledger compares under one key: another one would halt all trading.
    assert [fingerprint(one) for one in made] == [fingerprint(one) for one in expected]
    assert len(made) >= 4


def ticks(seed: int, count: int, start: int) -> list[Candle]:
    """A market of few prices: it rests, it swings, it comes back to the very same levels."""
    chance, steps = Random(seed), (0, 0)
    close, candles = start, []
    for place in range(count):
        if place % 7 == 0:
            steps = chance.choice(((0, 0), (0, 0), (-1, 1), (-40, 41)))
        close = max(close + chance.choice(steps), 1)
        price = Decimal(close).scaleb(-2)
        high, low = price + Decimal("0.01"), max(price - Decimal("0.01"), Decimal("0.01"))
        opened = TimestampNs(place * MINUTE_NS)
        candles.append(candle(opened, price, high, low, price, Decimal(1)))
    return candles


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
@settings(max_examples=settings().max_examples // 5)
@given(seed=st.integers(0, 2**32), start=st.sampled_from([50, 10_000, 6_000_000]))
def test_a_fresh_one_gives_the_signals_of_an_old_one(name: str, seed: int, start: int) -> None:
    old, fresh = small(name), small(name)
    assert isinstance(old, LongFlat)
    assert isinstance(fresh, LongFlat)
    candles = ticks(seed, old.warmup_events + 50, start)
    for bar in candles[:40]:
        old.signal(bar)
    for bar in candles[40:-10]:
        old.signal(bar)
        fresh.signal(bar)

    for bar in candles[-10:]:
        assert old.signal(bar) == fresh.signal(bar)
        assert old.quantity(bar.close) == fresh.quantity(bar.close)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_what_is_held_decides_whether_it_trades_and_not_what_it_was(name: str) -> None:
    strategy = small(name)

    decisions = [
        decision
        for bar in ticks(1, 400, 10_000)
        for decision in strategy.on_candle(bar, Decimal("0.5"))
    ]

    assert any(decision.side is Side.SELL for decision in decisions)
    for decision in decisions:
        assert decision.side is Side.SELL or name == "time_series_momentum"
        assert decision.side is Side.BUY or decision.quantity <= Decimal("0.5")


@pytest.mark.parametrize("name", sorted(TRIED))
def test_nobody_sells_what_he_does_not_hold(name: str) -> None:
    strategy = make(name)

    sides = {
        decision.side
        for bar in generated(1_000, seed=2)
        for decision in strategy.on_candle(bar, Decimal(0))
    }

    assert sides == {Side.BUY}
