"""One part misbehaves: the others work on, health tells the story, the orders are the same."""

import threading
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from actors.thread_runtime import ThreadRuntime
from messages.lifecycle import ActorState, InjectCrash, InjectHang
from ops.config import Config
from ops.snapshot import Snapshots
from ops.wiring import System
from tests.system.conftest import config_of, orders_at_venue, run_to_end

BROKEN = Path(__file__).with_name("broken_strategies.py")
QUICK = {"backoff_min_ms": 1, "backoff_max_ms": 2, "strategy_max_restarts": 30, "hang_after_s": 4}

BROKEN_PATH = "execution/strategies/broken"
AT = "(broken_strategies.py:*, in on_candle)"
"""Where an error says that it was, in whatever line."""
SAID_OF = {
    InjectCrash: "ActorCrashed: crash injected: test",
    InjectHang: "hung on InjectHang for * s; its thread is abandoned and fenced",
}


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


def marks(system: System, config: Config) -> dict[str, tuple[str, int, str]]:
    """What `health` shows of whom something befell: its state, its restarts and its last error."""
    return {
        actor["path"]: (actor["state"], actor["restarts"], actor["last_error"])
        for actor in Snapshots(system, config).take()["actors"]
        if actor["restarts"] or actor["last_error"] or actor["state"] != "stopped"
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "failures", "error"),
    [
        (
            "RaisesEvery500",
            20,
            f"RuntimeError: every five hundredth candle is too much for me {AT}",
        ),
        ("CallsExit", 10, f"SystemExit: 3 {AT}"),
        (
            "Hangs",
            1,
            f"hung on MarketBatch for * s at {AT[1:-1]}; its thread is abandoned and fenced",
        ),
    ],
)
def test_a_strategy_that_fails_now_and_then_misses_nothing_but_the_candles_it_failed_on(
    week: Path, tmp_path: Path, healthy: list[Any], broken: str, failures: int, error: str
) -> None:
    config = beside_a_healthy_one(tmp_path / "run", week, broken)

    system = run_to_end(config, ThreadRuntime(ttl_enforced=False))

    assert of_strategy(tmp_path / "run", "well") == healthy
    assert of_strategy(tmp_path / "run", "broken") == healthy
    ((path, (state, restarts, said)),) = marks(system, config).items()
    assert (path, state, restarts) == (BROKEN_PATH, "stopped", failures)
    assert fnmatchcase(said, error)


@pytest.mark.slow
def test_a_strategy_that_cannot_start_is_parked_and_the_other_trades(
    week: Path, tmp_path: Path, healthy: list[Any]
) -> None:
    config = beside_a_healthy_one(tmp_path / "run", week, "FailsToStart")

    system = run_to_end(config, ThreadRuntime(ttl_enforced=False))

    assert of_strategy(tmp_path / "run", "well") == healthy
    assert of_strategy(tmp_path / "run", "broken") == []
    ((path, (state, _, said)),) = marks(system, config).items()
    assert (path, state) == (BROKEN_PATH, "halted")
    assert fnmatchcase(
        said,
        f"ConfigError: {BROKEN}:FailsToStart could not be made: "
        "RuntimeError: not today (broken_strategies.py:*, in __init__)",
    )
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
    told = marks(system, config)
    if (victim, how) == ("metrics", InjectHang):  # nobody waits for it: the run is over first
        assert set(told) <= {victim}
        return
    state, restarts, said = told.pop(victim)
    assert (state, restarts) == ("stopped", 1)
    assert fnmatchcase(said, SAID_OF[how])
    beside = {"execution/strategies": ("stopped", 1, "")}  # rest for one: begun again with it
    assert told == (beside if victim == "execution/executor" else {})
