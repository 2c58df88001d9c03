"""The executor dies as the market ends: what was decided and done is recorded all the same."""

from pathlib import Path
from typing import Any

import pytest

from actors.executor import ExecutorActor
from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from messages.lifecycle import ActorState
from messages.orders import OrderIntent
from ops.config import Config
from tests.system.conftest import config_of, orders_at_venue, orders_in_ledger, run_to_end
from tests.system.test_bad_input import recorded
from tests.system.test_exhausted import Start, end_of, health_of_the_dead
from tests.system.test_exhausted import config as broken_config

EVENTS = 300
"""One window: the feed is done with all of them before the first decision is."""


def config_at(run_dir: Path) -> Config:
    """A market of one window: its end comes before the executor is back, on threads as a rule."""
    market = run_dir.with_name("candles.csv")
    if not market.exists():
        recorded(market, EVENTS)
    return config_of(run_dir, {"BTC/USDT": market}, supervision={"backoff_min_ms": 300})


def dies_once(monkeypatch: pytest.MonkeyPatch, place: int) -> list[str]:
    """Have the executor die on its first report (0) or decision (1); give what it died of.

    Of what it takes together it dies on the first, which is a dead letter then: not on a decision
    that has a report behind it.
    """
    work, died = ExecutorActor._work, list[str]()

    def dying(self: ExecutorActor, *taken: Any) -> None:
        if (
            taken[place]
            and not died
            and isinstance(self.ctx.cell.handling, OrderIntent) is (place == 1)
        ):
            died.append(type(taken[place][0]).__name__)
            raise MemoryError("once")
        work(self, *taken)

    monkeypatch.setattr(ExecutorActor, "_work", dying)
    return died


@pytest.fixture
def undisturbed(tmp_path: Path) -> list[Any]:
    run_to_end(config_at(tmp_path / "undisturbed"), StepRuntime(ttl_enforced=False))
    orders = orders_in_ledger(tmp_path / "undisturbed")
    assert len(orders) > 5
    return orders


def test_an_executor_that_dies_on_a_report_records_all_fills_before_the_end(
    tmp_path: Path, undisturbed: list[Any], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = dies_once(monkeypatch, 0)

    system = run_to_end(config_at(tmp_path / "run"), runtime)

    assert died
    assert orders_in_ledger(tmp_path / "run") == undisturbed
    assert system.executor.cell.state is ActorState.STOPPED


def test_one_that_dies_on_a_decision_records_all_others_before_the_end(
    tmp_path: Path, undisturbed: list[Any], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one it died on is a dead letter, as at any restart."""
    died = dies_once(monkeypatch, 1)

    run_to_end(config_at(tmp_path / "run"), runtime)

    assert died == ["OrderIntent"]
    keys = [order[0] for order in orders_in_ledger(tmp_path / "run")]
    assert keys == [order[0] for order in undisturbed][1:]
    assert {order[4] for order in orders_at_venue(tmp_path / "run")} == {"filled"}


@pytest.mark.slow
def test_one_that_fails_again_ends_the_process_with_a_failure_and_a_word(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = broken_config(tmp_path, "SpoilsTheEnd", 'type = "demo"\nspeed = 0')

    code, word, said = end_of(start, path, "--max-events", str(EVENTS))

    why = (
        "executor failed at the end, and what waited for it is not done; the next start settles "
        "what is open: MemoryError: no room for the last word of execution/executor"
    )
    assert code == word["exit_code"] == 1
    assert word["reason"] == f"halted: {why}"
    assert f"CRITICAL {why}" in said
    assert f"halted: {why} (exit code 1)" in health_of_the_dead(tmp_path, capsys)
