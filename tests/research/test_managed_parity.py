"""Orders that are ended and replaced in the plain loop fare as in the whole system."""

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.thread_runtime import ThreadRuntime
from messages.values import OrderState
from tests.research import worlds
from tests.research.managed import managed_strategy
from tests.research.parity import Drawn, assert_the_same, drawn, restless, write
from tests.research.worlds import by_actors, by_loop, plan_of
from tests.system.conftest import STRESS, WEEK, config_of

EXAMPLES = 300 if STRESS else 12

acts = st.tuples(
    st.integers(0, 20),
    st.sampled_from(["buy", "buy", "sell", "cancel", "replace", "replace"]),
    st.integers(0, 2),
    st.sampled_from(["0.01", "0.5", "3", "9.00001"]),
    st.sampled_from(["", "80", "95", "99", "101", "130"]),
)
scripts = st.lists(acts, max_size=10).map(lambda some: [list(one) for one in sorted(some)])


@pytest.mark.slow
@pytest.mark.timeout(900 if STRESS else 300)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    world=drawn(scripts, max_position_notional="600", max_drawdown="50", price_collar_bps="4000")
)
def test_generated_markets_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, world: Drawn
) -> None:
    """Two symbols, three strategies, partial fills, too little money, orders that are late."""
    folder = tmp_path_factory.mktemp("market")

    assert_the_same(world.config(folder, managed_strategy))


@pytest.mark.slow
def test_a_recorded_week_is_the_same(tmp_path: Path) -> None:
    """A bid far below, moved up half an hour later, and half an hour after that ended."""
    if not WEEK.exists():
        pytest.skip("recorded market data is not at hand")
    some: list[list[Any]] = []
    for number, place in enumerate(range(60, 10_000, 120)):
        some.append([place, "buy", 0, "0.01", str(58_000 + 100 * (number % 7))])
        some.append([place + 30, "replace", 0, "0.012", str(61_000 + 300 * (number % 7))])
        some.append([place + 60, "cancel" if number % 3 else "replace", 0, "0.011", ""])
    config = config_of(
        tmp_path / "run",
        {"BTC/USDT": WEEK},
        strategy=[managed_strategy("s", "BTC/USDT", sorted(some))],
        risk={"price_collar_bps": "2000", "max_position_notional": "1000000"},
        venue={"balances": {"USDT": "1000000"}},
        idempotency={"backend": "sqlite"},
    )

    assert assert_the_same(config) > 150
    _, outcome = by_loop(plan_of(config))
    ends = Counter(order.state for order in outcome.orders)
    assert min(ends[OrderState.CANCELED], ends[OrderState.FILLED]) > 30


@pytest.mark.slow
def test_threads_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is faster: an order is never replaced at another event than in the plain loop."""
    monkeypatch.setattr(worlds, "StepRuntime", ThreadRuntime)
    rng, ended = random.Random(5), 0
    for number in range(100 if STRESS else 8):
        rows = restless(rng)
        acts = [
            [place, rng.choice(["buy", "buy", "sell", "cancel", "replace", "replace"]),
             rng.randint(0, 1), rng.choice(["0.5", "3"]), str(rng.choice([80, 90, 97, 103, 120]))]
            for place in sorted(rng.choices(range(55), k=16))
        ]  # fmt: skip
        config = config_of(
            tmp_path / f"run-{number}",
            {"BTC/USDT": write(tmp_path / f"{number}.csv", rows)},
            strategy=[managed_strategy("s", "BTC/USDT", acts)],
            risk={"price_collar_bps": "5000"},
            venue={"balances": {"USDT": "5000", "BTC": "9"}},
        )
        loop, outcome = by_loop(plan_of(config))
        assert by_actors(config)[0] == loop
        ended += sum(order.state is OrderState.CANCELED for order in outcome.orders)
    assert ended > 20


@pytest.mark.slow
def test_a_grid_that_rests_is_the_same(tmp_path: Path) -> None:
    """Six orders at a time, in thin candles too; lines that are leapt over, parts that fill."""
    rng, rows, last = random.Random(3), [], 100
    for place in range(400):
        close = min(max(last + rng.randint(-3, 3), 80), 120)
        high, low = max(last, close) + rng.randint(0, 2), min(last, close) - rng.randint(0, 2)
        volume = rng.choice(["0.2", "3", "900"])
        rows.append(((28_333_334 + place) * 60_000, last, high, low, close, volume))
        last = close
    params = {"lower": "85", "upper": "115", "cells": 20, "resting": True, "each_side": 3}
    grid = {"id": "g", "uses": "grid", "order_notional": "500", "params": params}
    config = config_of(
        tmp_path / "run", {"BTC/USDT": write(tmp_path / "a.csv", rows)}, strategy=[grid]
    )

    assert assert_the_same(config) > 100
    _, outcome = by_loop(plan_of(config))
    ends = Counter(order.state for order in outcome.orders)
    assert min(ends[OrderState.CANCELED], ends[OrderState.FILLED]) > 30


def test_what_was_filled_is_not_asked_for_again(tmp_path: Path) -> None:
    """A bid of 3 that a thin market fills by a part is moved: only the rest goes out again."""
    rows = [
        ((28_333_334 + n) * 60_000, 100, 100, low, 100, volume)
        for n, (low, volume) in enumerate([(100, 40), (100, 40), (89, 10), (100, 40), (94, 400)])
    ]
    config = config_of(
        tmp_path / "run",
        {"BTC/USDT": write(tmp_path / "a.csv", rows)},
        strategy=[
            managed_strategy(
                "s", "BTC/USDT", [[0, "buy", 0, "3", "90"], [3, "replace", 0, "", "95"]]
            )
        ],
        risk={"price_collar_bps": "2000"},
    )

    loop, _ = by_loop(plan_of(config))
    actors, _ = by_actors(config)

    assert actors == loop
    first, second = loop
    assert first[7] is OrderState.CANCELED
    assert second[7] is OrderState.FILLED
    assert Decimal(0) < first[8] < 3
    assert first[8] + second[8] == 3
