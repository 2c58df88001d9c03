"""A whole run's metrics: each order can be followed from its market event to its fill."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.runtime import Runtime
from decisions.stages import STAGES
from ops.metric_lines import lines_about, metric_files
from ops.metrics_schema import schemas
from persistence.ledger import read_orders
from tests.system.conftest import config_of, run_to_end
from tests.system.market_files import crossing_candles


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """A market that crosses itself often."""
    return crossing_candles(tmp_path, 1_200)


def all_lines(run: Path) -> list[dict[str, Any]]:
    (path,) = metric_files(run)
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.slow
def test_an_order_is_followed_by_its_trace_id_from_market_to_fill(
    candles: Path, tmp_path: Path, runtime: Runtime
) -> None:
    run = tmp_path / "run"
    system = run_to_end(config_of(run, {"BTC/USDT": candles}), runtime)

    orders = list(read_orders(run / "ledger.db"))
    assert len(orders) > 10
    found = [one for one in all_lines(run) if one["kind"] == "message"]
    for order in orders:
        story = lines_about(run, order.order_key)
        stages = [one for one in story if one["kind"] == "stage"]
        assert [one["stage"] for one in stages] == list(STAGES)
        assert {one["outcome"] for one in stages} == {"ok"}
        ends = [one["at_ns"] for one in stages]
        assert ends == sorted(ends)
        assert stages[0]["event"] == {
            "feed": "feeds/feed:replay",
            "index": (order.decided_at_ns // 1_000_000 - 1_700_000_040_000) // 60_000 - 1,
            "ts_event_ns": order.decided_at_ns,
        }
        hops = Counter(
            (one["actor"], one["type"]) for one in found if one.get("trace_id") == order.order_key
        )
        assert hops["execution/executor", "OrderIntent"] == 1
        assert hops["execution/executor", "SubmitDone"] == 1
        assert hops["metrics", "OrderUpdate"] >= 2
        assert hops["execution/strategies/sma-1", "OrderUpdate"] >= 1
    assert len(system.fold.stages.summary()) == len(STAGES)


@pytest.mark.slow
def test_what_is_written_is_what_the_schemas_say_and_adds_up(
    candles: Path, tmp_path: Path, runtime: Runtime
) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    run = tmp_path / "run"
    run_to_end(config_of(run, {"BTC/USDT": candles}, metrics={"sample_every": 3}), runtime)

    summary = json.loads((run / "metrics_summary.json").read_bytes())
    of_summary = jsonschema.Draft202012Validator(schemas()["metrics_summary.schema.json"])
    of_summary.validate(summary)
    assert not of_summary.is_valid({**summary, "new": 1})
    check = jsonschema.Draft202012Validator(schemas()["metrics_line.schema.json"])
    found = all_lines(run)
    for line in found:
        assert check.is_valid(line), line
        assert list(line) == sorted(line)

    orders = summary["allowed"]
    stages = Counter(one["stage"] for one in found if one["kind"] == "stage")
    assert stages == dict.fromkeys(STAGES, orders)
    assert {stage: one["count"] for stage, one in summary["stages"].items()} == dict(stages)
    assert summary["metrics"] == {"dropped_lines": 0, "lines": len(found), "problem": ""}
    executor = summary["actors"]["execution/executor"]
    assert executor["count"] == executor["wait_ns"]["count"] == executor["processed"]
    assert sum(executor["outcomes"].values()) == executor["processed"] + executor["dead_letters"]


@pytest.mark.slow
def test_with_metrics_off_nothing_is_written_and_all_is_counted(
    candles: Path, tmp_path: Path, runtime: Runtime
) -> None:
    run = tmp_path / "run"
    config = config_of(run, {"BTC/USDT": candles}, metrics={"enabled": False})
    system = run_to_end(config, runtime)

    assert system.fold.filled > 10
    assert not metric_files(run)
    assert all(cell.hops is None for cell in runtime.cells.values())
