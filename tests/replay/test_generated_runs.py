"""Any market, schedule, blow and strategy: 0 divergences, or the one that was planted."""

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.step_runtime import StepRuntime
from messages.lifecycle import InjectCrash, InjectHang
from messages.orders import CancelIntent, OrderIntent
from ops.wiring import System
from tests.replay.runs import (
    ONE,
    STRATEGY,
    changed,
    config_of,
    killed,
    messages,
    replace,
    replayed,
    run,
)
from tests.system.conftest import STRESS

NAMES = [
    "sma_cross",
    "Waves",
    "Bars",
    "Learns",
    "Keeps",
    "Tires",
    "TiresAndKeeps",
    "Poisoned",
    "Pairs",
    "Stopped",
    "StoppedAndKeeps",
    "StoppedPairs",
    "Moves",
    "MovesAndKeeps",
]
BLOWS = st.tuples(
    st.integers(1, 30),
    st.sampled_from(["one", "executor"]),
    st.sampled_from([InjectCrash(reason="chance"), InjectHang(reason="a test")]),
)


@st.composite
def prices(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Candles of a market that jumps, stands still, and leaves some out."""
    rows, minute = [], 28_333_334
    for _ in range(draw(st.integers(5, 60))):
        minute += draw(st.sampled_from([1, 1, 1, 3]))
        low, one, two, high = sorted(draw(st.tuples(*[st.integers(80, 120)] * 4)))
        low, one, two, high = (500 * price for price in (low, one, two, high))  # worth an order
        first, last = (one, two) if draw(st.booleans()) else (two, one)
        rows.append((minute * 60_000, first, high, low, last, draw(st.integers(0, 50))))
    return rows


def write(path: Path, rows: list[tuple[Any, ...]]) -> str:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("ts", "open", "high", "low", "close", "volume"), *rows])
    return str(path)


def striking(blows: list[tuple[int, str, Any]]) -> Any:
    """Tell each blow once its actor has handled so many messages."""

    def strike(runtime: StepRuntime, system: System) -> None:
        life = system.root.life
        assert life is not None
        for count, whom, blow in sorted(blows, key=lambda one: one[0]):
            executor = whom == "executor"
            actor = system.executor if executor else system.strategies[ONE]
            runtime.run_until(
                lambda a=actor, n=count: a.cell.processed >= n or life.gone.is_set()  # type: ignore[misc]  # mypy infers no lambda with defaults
            )
            if not life.gone.is_set():
                actor.tell(blow)

    return strike


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(
    max_examples=400 if STRESS else 12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    first=prices(),
    second=prices(),
    name=st.sampled_from(NAMES),
    blows=st.lists(BLOWS, max_size=3),
    seed=st.none() | st.integers(0, 999),
    batch=st.sampled_from([1, 3, 16, 256]),
    less=st.none() | st.integers(0, 30),
    planted=st.none() | st.integers(0, 10_000),
)
def test_a_generated_run_is_decided_again_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    first: Any,
    second: Any,
    name: str,
    blows: Any,
    seed: int | None,
    batch: int,
    less: int | None,
    planted: int | None,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    symbols = ("BTC/USDT", "ETH/USDT") if name.endswith("Pairs") else ("BTC/USDT",)
    paths = dict(
        zip(
            symbols, (write(folder / "a.csv", first), write(folder / "b.csv", second)), strict=False
        )
    )
    feed: dict[str, Any] = {
        "feed.type": "replay",
        "feed.path": paths,
        "feed.batch": batch,
        "feed.limit": None,
    }
    config = config_of(folder / "run", name, symbols=symbols, **feed)
    run(config, at_start=striking(blows), seed=seed)
    if less is not None:
        killed(folder / "run", less)
        run(config, seed=seed, process=2)
    decided = messages(folder / "run", OrderIntent, STRATEGY)
    ended = messages(folder / "run", CancelIntent, STRATEGY)

    findings, divergences = replayed(folder / "run")

    assert divergences == []
    assert not findings.not_compared
    assert findings.strategies[ONE].decisions == len(decided) + len(ended)
    if planted is not None and decided:
        segment, number, intent = decided[planted % len(decided)]
        replace(segment, number, changed(intent, quantity=intent.quantity * 3))
        _, divergences = replayed(folder / "run")
        assert [one.order_key for one in divergences] == [intent.order_key]
        assert str(intent.quantity * 3) in divergences[0].recorded


def test_a_run_that_its_ledger_halts_is_at_its_end(tmp_path: Path) -> None:
    """It waits for a person, who is not here: a generated run stood still so."""
    config = config_of(tmp_path / "run", "Gambles")
    run(config)
    decided = messages(tmp_path / "run", OrderIntent, STRATEGY)

    halted = run(config, process=2)

    assert len(decided) > 10
    assert halted.executor.cell.last_error.startswith("LedgerConflict")
