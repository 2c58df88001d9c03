"""A recorded week through the whole system: the orders are those of the crossover, once."""

import csv
import gzip
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from persistence.ledger import read_orders
from tests.system.conftest import config_of, orders_at_venue, run_to_end

MINUTE_NS = 60_000_000_000


Rows = Sequence[tuple[int, Decimal]]
"""Of candles: when each opened, in milliseconds, and its close."""


def rows_of(path: Path) -> Rows:
    with gzip.open(path, "rt") as file:
        return [(int(r["ts"]), Decimal(r["close"])) for r in csv.DictReader(file)]


def crossovers(rows: Rows, fast: int, slow: int) -> list[tuple[int, str]]:
    """The independent computation: closes, two plain means, a position of none or one.

    Exact: in flat hours two means are the same, and as floats they are not.
    """
    found, above, holding = [], None, False
    for end in range(slow, len(rows) + 1):
        closes = [close for _, close in rows[end - slow : end]]
        mean_fast, mean_slow = slow * sum(closes[-fast:]), fast * sum(closes)  # of one scale
        decided_at = rows[end - 1][0] * 1_000_000 + MINUTE_NS
        if above is not None and mean_fast > mean_slow and not above and not holding:
            found.append((decided_at, "buy"))
            holding = True
        if above is not None and mean_fast < mean_slow and above and holding:
            found.append((decided_at, "sell"))
            holding = False
        if mean_fast != mean_slow:
            above = mean_fast > mean_slow
    return found


@pytest.mark.slow
def test_the_orders_are_those_of_an_independent_crossover(
    week: Path, tmp_path: Path, runtime: Runtime
) -> None:
    config = config_of(tmp_path / "run", {"BTC/USDT": week})

    system = run_to_end(config, runtime)

    decided = [(e.decided_at_ns, str(e.side)) for e in read_orders(tmp_path / "run/ledger.db")]
    assert decided == crossovers(rows_of(week), 10, 30)
    assert system.fold.processed == 10_080


@pytest.mark.slow
def test_the_same_run_again_sends_nothing(week: Path, tmp_path: Path, runtime: Runtime) -> None:
    config = config_of(tmp_path / "run", {"BTC/USDT": week})
    first = run_to_end(config, ThreadRuntime(ttl_enforced=False))
    before = orders_at_venue(tmp_path / "run")

    again = run_to_end(config, runtime)

    assert first.fold.allowed > 100
    assert again.fold.allowed == 0
    assert again.fold.dupes_filtered == first.fold.allowed
    assert orders_at_venue(tmp_path / "run") == before


@pytest.mark.slow
def test_threads_and_steps_give_the_same_book(week: Path, tmp_path: Path) -> None:
    run_to_end(config_of(tmp_path / "a", {"BTC/USDT": week}), ThreadRuntime(ttl_enforced=False))
    run_to_end(config_of(tmp_path / "b", {"BTC/USDT": week}), StepRuntime(ttl_enforced=False))
    run_to_end(
        config_of(tmp_path / "c", {"BTC/USDT": week}), StepRuntime(seed=7, ttl_enforced=False)
    )

    assert orders_at_venue(tmp_path / "a") == orders_at_venue(tmp_path / "b")
    assert orders_at_venue(tmp_path / "b") == orders_at_venue(tmp_path / "c")


@pytest.mark.slow
def test_steps_twice_give_the_same_bytes(week: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        config = config_of(tmp_path / name, {"BTC/USDT": week})
        run_to_end(config, StepRuntime(seed=3, ttl_enforced=False))

    for file in ("metrics.ndjson", "metrics_summary.json"):
        first, second = ((tmp_path / name / file).read_bytes() for name in ("a", "b"))
        assert first == second


@pytest.mark.slow
def test_the_summary_says_what_the_ledger_says(week: Path, tmp_path: Path) -> None:
    config = config_of(tmp_path / "run", {"BTC/USDT": week})

    run_to_end(config, ThreadRuntime(ttl_enforced=False))

    summary = json.loads((tmp_path / "run/metrics_summary.json").read_text())
    states = [str(entry.state) for entry in read_orders(tmp_path / "run/ledger.db")]
    assert summary["processed"] == 10_080
    assert summary["allowed"] == len(states)
    assert summary["filled"] == states.count("filled")
