"""The executor fails or hangs with a group of decisions in hand: at most one is lost to it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from actors import gateway
from actors.runtime import Runtime
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from decisions.order_keys import client_order_id
from messages.lifecycle import ActorState
from ops.wiring import System
from persistence.ledger import SqliteLedger
from tests.system.conftest import config_of, orders_at_venue, run_to_end
from tests.system.market_files import candles_in
from tests.waiting import until


@pytest.mark.slow
def test_what_waits_in_a_failing_executor_is_handed_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = candles_in(tmp_path)
    run_to_end(config_of(tmp_path / "whole", paths), StepRuntime(ttl_enforced=False))
    groups: list[int] = []
    write = SqliteLedger.write

    def fail_once(ledger: SqliteLedger, steps: Any, claims: Any, now_ns: int, *more: Any) -> Any:
        groups.append(len(claims))
        if len(groups) == 1:
            raise RuntimeError("once")
        return write(ledger, steps, claims, now_ns, *more)

    monkeypatch.setattr(SqliteLedger, "write", fail_once)
    run_to_end(config_of(tmp_path / "failed", paths), StepRuntime(ttl_enforced=False))

    whole, failed = orders_at_venue(tmp_path / "whole"), orders_at_venue(tmp_path / "failed")
    assert groups[0] > 1
    # The buy that failed is lost, and with it the sale of what it never brought.
    assert [o[-1] for o in failed] == [o[-1] for o in whole][2:]


@pytest.mark.slow
def test_what_a_hung_executor_had_in_hand_goes_to_its_successor(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = candles_in(tmp_path)
    run_to_end(config_of(tmp_path / "whole", paths), StepRuntime(ttl_enforced=False))
    claimed: list[Any] = []
    systems: list[System] = []
    wired = threading.Event()

    def hang_once(key: Any) -> Any:
        claimed.append(key)
        if len(claimed) == 1:
            assert wired.wait(60)
            life = systems[0].executor.cell.life
            assert life is not None
            runtime.hang(life)
        return client_order_id(key)

    def at_start(system: System) -> None:
        systems.append(system)
        wired.set()

    monkeypatch.setattr(gateway, "client_order_id", hang_once)
    config = config_of(tmp_path / "hung", paths, supervision={"hang_after_s": 1})
    run_to_end(config, runtime, at_start=at_start)

    whole, hung = orders_at_venue(tmp_path / "whole"), orders_at_venue(tmp_path / "hung")
    # As above: without the buy there is nothing to sell.
    assert [o[-1] for o in hung] == [o[-1] for o in whole][2:]


@pytest.mark.slow
def test_a_disk_that_hangs_for_longer_than_restarts_last_halts_nothing_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start behind the commit that hung counted as a failure, and the third halted it all."""
    paths = candles_in(tmp_path)
    run_to_end(config_of(tmp_path / "whole", paths), StepRuntime(ttl_enforced=False))
    commits: list[int] = []
    is_back = threading.Event()
    commit = SqliteLedger._commit

    def hang_once(ledger: SqliteLedger, writes: Any) -> Any:
        commits.append(len(commits))
        if commits[-1] == 3:
            assert is_back.wait(60)
        return commit(ledger, writes)

    def at_start(system: System) -> None:
        cell = system.executor.cell
        until(lambda: cell.epoch > 6)
        is_back.set()

    monkeypatch.setattr(SqliteLedger, "_commit", hang_once)
    monkeypatch.setattr(gateway, "TAKE_OVER_S", 0.05)
    quick = {"hang_after_s": 1, "backoff_min_ms": 1, "backoff_max_ms": 2}
    config = config_of(tmp_path / "hung", paths, supervision=quick)
    system = run_to_end(config, ThreadRuntime(ttl_enforced=False), at_start=at_start)

    assert orders_at_venue(tmp_path / "hung") == orders_at_venue(tmp_path / "whole")
    assert system.executor.cell.state is not ActorState.HALTED
