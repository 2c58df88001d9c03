"""One part misbehaves: the others work on, health tells the story, the orders are the same."""

import threading
from pathlib import Path
from typing import Any

import pytest

from actors.thread_runtime import ThreadRuntime
from messages.ids import ActorPath
from messages.lifecycle import ActorState, InjectCrash, InjectHang
from ops.config import Config
from ops.wiring import System
from tests.system.conftest import config_of, orders_at_venue, run_to_end

BROKEN = Path(__file__).with_name("broken_strategies.py")
QUICK = {"backoff_min_ms": 1, "backoff_max_ms": 2, "strategy_max_restarts": 30, "hang_after_s": 4}


def beside_a_healthy_one(run_dir: Path, week: Path, broken: str) -> Config:
    """A sma_cross that is well, and beside it one that is not."""
    cross = {"symbol": "BTC/USDT", "params": {"fast": 10, "slow": 30}}
    return config_of(
        run_dir,
        {"BTC/USDT": week},
        strategy=[
            {"id": "well", "uses": "sma_cross", **cross},
            {"id": "broken", "uses": f"{BROKEN}:{broken}", **cross},
        ],
        supervision=QUICK,
    )


def of_strategy(run_dir: Path, name: str) -> list[Any]:
    """The orders of one strategy at the exchange."""
    from persistence.ledger import read_orders

    ids = {e.client_order_id for e in read_orders(run_dir / "ledger.db") if e.strategy_id == name}
    return [order[:-1] for order in orders_at_venue(run_dir) if order[-1] in ids]


@pytest.fixture
def healthy(week: Path, tmp_path: Path) -> list[Any]:
    """The orders of an undisturbed sma_cross."""
    run_to_end(
        config_of(tmp_path / "healthy", {"BTC/USDT": week}), ThreadRuntime(ttl_enforced=False)
    )
    return [order[:-1] for order in orders_at_venue(tmp_path / "healthy")]


def cell_of(system: System, name: str) -> Any:
    """The cell of one strategy."""
    return system.runtime.cells[ActorPath(f"execution/strategies/{name}")]


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["RaisesEvery500", "CallsExit", "Hangs"])
def test_a_strategy_that_fails_now_and_then_misses_nothing_but_the_candles_it_failed_on(
    week: Path, tmp_path: Path, healthy: list[Any], broken: str
) -> None:
    config = beside_a_healthy_one(tmp_path / "run", week, broken)

    system = run_to_end(config, ThreadRuntime(ttl_enforced=False))

    assert of_strategy(tmp_path / "run", "well") == healthy
    assert of_strategy(tmp_path / "run", "broken") == healthy
    assert cell_of(system, "broken").restarts > 0
    assert cell_of(system, "broken").last_error
    assert cell_of(system, "well").restarts == 0
    assert system.executor.cell.restarts == 0


@pytest.mark.slow
def test_a_strategy_that_cannot_start_is_parked_and_the_other_trades(
    week: Path, tmp_path: Path, healthy: list[Any]
) -> None:
    config = beside_a_healthy_one(tmp_path / "run", week, "FailsToStart")

    system = run_to_end(config, ThreadRuntime(ttl_enforced=False))

    assert of_strategy(tmp_path / "run", "well") == healthy
    assert of_strategy(tmp_path / "run", "broken") == []
    assert "not today" in cell_of(system, "broken").last_error
    assert system.fold.errors >= QUICK["strategy_max_restarts"]


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["execution/executor", "feeds/feed:replay", "metrics"])
@pytest.mark.parametrize("how", [InjectCrash, InjectHang])
def test_an_actor_that_dies_in_the_middle_changes_no_order(
    week: Path, tmp_path: Path, healthy: list[Any], victim: str, how: Any
) -> None:
    config = config_of(tmp_path / "run", {"BTC/USDT": week}, supervision=QUICK)

    def kill_when_trading(system: System) -> None:
        def wait_and_kill() -> None:
            while not system.fold.filled:
                if system.root.state is not ActorState.RUNNING:
                    return
                threading.Event().wait(0.001)
            system.runtime.address(victim).tell(how(reason="test"))

        threading.Thread(target=wait_and_kill, daemon=True).start()

    system = run_to_end(config, ThreadRuntime(ttl_enforced=False), at_start=kill_when_trading)

    assert [order[:-1] for order in orders_at_venue(tmp_path / "run")] == healthy
    if (victim, how) != ("metrics", InjectHang):  # nobody waits for it: the run is over first
        assert system.runtime.cells[ActorPath(victim)].restarts >= 1
