"""What the strategy API offers, through the whole system, on threads and on steps."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

import strategies
from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from messages.ids import StrategyId
from ops.config import Config, demo_config
from persistence.ledger import read_orders
from tests.system import featured_strategies
from tests.system.conftest import orders_at_venue, run_to_end

FILE = Path(featured_strategies.__file__)
QUICK = {"backoff_min_ms": 1, "backoff_max_ms": 2, "strategy_max_restarts": 3}


def config(
    run_dir: Path, name: str, symbols: tuple[str, ...] = ("BTC/USDT",), hang_after_s: int = 30
) -> Config:
    overrides: dict[str, object] = {
        "run_dir": str(run_dir),
        "feed.speed": 0,
        "feed.limit": 160,
        "feed.symbols": list(symbols),
        "risk.max_position_notional": "100000",
        "risk.max_orders_per_minute": 1000,
        "strategy": [
            {"id": "one", "uses": f"{FILE}:{name}", "symbols": list(symbols), "params": {}}
        ],
        "supervision": {**QUICK, "hang_after_s": hang_after_s},
        "idempotency.backend": "sqlite",
    }
    return demo_config(overrides, strategies.check_params)


def run(run_dir: Path, name: str, runtime: Runtime, **more: Any) -> Any:
    return run_to_end(config(run_dir, name, **more), runtime)


def keys(run_dir: Path) -> list[str]:
    return sorted(entry.order_key for entry in read_orders(run_dir / "ledger.db"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Targets", "Timers", "Bars", "Pairs", "KeepsUndisturbed"])
def test_threads_and_steps_give_the_same_orders_and_a_second_run_none(
    tmp_path: Path, name: str
) -> None:
    more = {"symbols": ("BTC/USDT", "ETH/USDT")} if name == "Pairs" else {}
    run(tmp_path / "threads", name, ThreadRuntime(ttl_enforced=False), **more)
    run(tmp_path / "steps", name, StepRuntime(seed=5, ttl_enforced=False), **more)

    orders = orders_at_venue(tmp_path / "threads")
    assert len(orders) > 10
    assert orders_at_venue(tmp_path / "steps") == orders
    if name == "Pairs":
        assert {order[1] for order in orders} == {"BTC/USDT", "ETH/USDT"}

    again = run(tmp_path / "steps", name, StepRuntime(ttl_enforced=False), **more)
    assert (again.fold.allowed, orders_at_venue(tmp_path / "steps")) == (0, orders)


@pytest.mark.slow
def test_one_that_dies_and_is_restored_gives_the_orders_of_one_that_does_not(
    tmp_path: Path,
) -> None:
    run(tmp_path / "well", "KeepsUndisturbed", StepRuntime(ttl_enforced=False))
    system = run(tmp_path / "dying", "Keeps", StepRuntime(ttl_enforced=False))

    assert system.strategies["one"].cell.restarts >= 1
    assert keys(tmp_path / "dying") == keys(tmp_path / "well")


@pytest.mark.slow
def test_each_execution_of_a_run_is_told_at_most_once(tmp_path: Path) -> None:
    settings = config(tmp_path, "Fills")
    settings = msgspec.structs.replace(
        settings, feed=msgspec.structs.replace(settings.feed, batch=1, window=1)
    )

    system = run_to_end(settings, StepRuntime(ttl_enforced=False))

    fills: Any = strategies.strategy_class(f"{FILE}:Fills")
    told = fills.told
    assert len(told) == len(set(told)) >= system.fold.filled - 2 > 10


@pytest.mark.parametrize(
    ("name", "error", "line"),
    [
        ("GivesText", "BadDecision: gave 'buy', expected decisions", "in on_candle"),
        ("GivesNan", "BadDecision: a decision with the quantity Decimal('NaN')", "in on_candle"),
        ("GivesNegative", "BadDecision: a decision with the quantity Decimal('-1')", "on_candle"),
        ("GivesUnknownSymbol", "BadDecision: X/Y is not one of this strategy's", "on_candle"),
        ("DividesByZero", "DivisionByZero", "in on_candle"),
    ],
)
def test_a_strategy_that_gives_nonsense_sends_nothing_is_halted_and_its_line_is_named(
    tmp_path: Path, name: str, error: str, line: str
) -> None:
    system = run(tmp_path, name, StepRuntime(ttl_enforced=False))

    cell = system.strategies["one"].cell
    assert cell.last_error.startswith(error) or error in cell.last_error
    assert line in cell.last_error
    number = int(cell.last_error.split("featured_strategies.py:")[1].split(",")[0])
    near = FILE.read_text().splitlines()[number - 1]
    assert "def on_candle" in near or "candle.close / (position * 0)" in near
    assert cell.restarts <= QUICK["strategy_max_restarts"]
    assert keys(tmp_path) == []
    assert system.fold.errors > 0


@pytest.mark.slow
def test_a_strategy_that_takes_for_ever_is_replaced_and_the_line_it_hangs_in_is_named(
    tmp_path: Path,
) -> None:
    settings = config(tmp_path, "TakesForEver", hang_after_s=1)
    once = msgspec.structs.replace(settings.supervision, strategy_max_restarts=0)
    settings = msgspec.structs.replace(settings, supervision=once)

    system = run_to_end(settings, ThreadRuntime(ttl_enforced=False))

    cell = system.strategies[StrategyId("one")].cell
    assert "hung on MarketBatch" in cell.last_error
    number = int(cell.last_error.split("featured_strategies.py:")[1].split(",")[0])
    assert "threading.Event().wait()" in FILE.read_text().splitlines()[number - 1]
    assert keys(tmp_path) == []
