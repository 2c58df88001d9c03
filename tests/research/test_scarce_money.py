"""Strategies that want the last of the money at one moment: who gets it is no matter of chance."""

from pathlib import Path

import pytest

from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from messages.values import OrderState
from ops.config import Config
from tests.research.parity import STEP_BY_STEP
from tests.research.worlds import Orders, by_actors, by_loop, plan_of
from tests.system.conftest import config_of
from tests.system.test_bad_input import recorded

FIRST, SECOND, THIRD = "zeta", "mid", "alpha"
"""As the configuration names them, which is in no other order."""
SCHEDULES = range(4)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Three that decide the same, with money for two."""
    recorded(tmp_path / "candles.csv", 200)
    cross = {"uses": "sma_cross", "symbol": "BTC/USDT", "params": {"fast": 5, "slow": 15}}
    return config_of(
        tmp_path / "run",
        {"BTC/USDT": tmp_path / "candles.csv"},
        strategy=[{"id": one, **cross} for one in (FIRST, SECOND, THIRD)],
        venue={"balances": {"USDT": "250"}},
        feed=STEP_BY_STEP,
    )


def who_filled(orders: Orders) -> set[str]:
    return {order[2] for order in orders if order[7] is OrderState.FILLED}


def test_a_backtest_serves_them_in_the_order_of_the_configuration(config: Config) -> None:
    orders, _ = by_loop(plan_of(config))

    assert len(orders) > 10
    assert who_filled(orders) == {FIRST, SECOND}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_so_do_the_actors_in_whatever_order_they_decide(config: Config, schedule: int) -> None:
    orders, _ = by_actors(config, StepRuntime(schedule, ttl_enforced=False))

    assert orders == by_loop(plan_of(config))[0]


def test_so_do_the_actors_on_threads(config: Config) -> None:
    orders, _ = by_actors(config, ThreadRuntime(ttl_enforced=False))

    assert orders == by_loop(plan_of(config))[0]
