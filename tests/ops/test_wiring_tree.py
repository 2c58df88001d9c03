"""Supervisors have limits that follow from those of what is below them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import strategies
from actors.children import ChildSpec, SupervisorSpec
from actors.step_runtime import StepRuntime
from actors.supervisor import Supervisor
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, ExitReason, InjectHang
from ops.config import demo_config
from ops.run_dir import RunDir
from ops.snapshot import Snapshots, actor_view, is_over
from ops.wiring import System, build
from ops.wiring_tree import SUPERVISOR_HANG_MS, start_limit_ms, start_root, stop_root
from persistence.ledger import SqliteLedger


def system_of(folder: Path, **changes: Any) -> System:
    config = demo_config({"run_dir": str(folder / "run"), **changes}, strategies.check_params)
    run_dir = RunDir(config.run_dir)
    run_dir.path.mkdir(exist_ok=True)
    return build(config, run_dir, StepRuntime(ttl_enforced=False))


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """A tree that has started; what those that are fenced leave open is closed at the end."""
    opened: list[Any] = []
    monkeypatch.setattr(SqliteLedger, "__init__", noting(opened, SqliteLedger.__init__))
    found = system_of(tmp_path)
    assert not start_root(found.runtime, found.root).problem
    yield found
    for one in opened:
        one.close()


def noting(opened: list[Any], make: Callable[..., None]) -> Callable[..., None]:
    def noted(self: Any, *arguments: Any, **more: Any) -> None:
        make(self, *arguments, **more)
        opened.append(self)

    return noted


def spec_of(system: System) -> SupervisorSpec:
    found: SupervisorSpec = system.root.arguments["spec"]
    return found


def branches(spec: SupervisorSpec) -> Iterator[tuple[ChildSpec, SupervisorSpec]]:
    """Give each supervisor below, as a child and as a parent."""
    for child in spec.children:
        if issubclass(child.actor_class, Supervisor):
            below: SupervisorSpec = child.arguments["spec"]
            yield child, below
            yield from branches(below)


@pytest.mark.parametrize("hang_after_s", [10, 90, 3_600])
def test_a_branch_may_take_as_long_to_start_as_all_in_it_and_longer(
    tmp_path: Path, hang_after_s: int
) -> None:
    """So a strategy that may take 90 s to load has them, and who is too slow is given up first."""
    spec = spec_of(system_of(tmp_path, **{"supervision.hang_after_s": hang_after_s}))

    for child, below in branches(spec):
        needed_ms = sum(one.start_timeout_ms for one in below.children)
        assert child.start_timeout_ms > needed_ms >= 10_000, child.name
    assert start_limit_ms(spec) > sum(child.start_timeout_ms for child in spec.children)
    limits = {child.name: child.start_timeout_ms for child, _ in branches(spec)}
    assert limits["strategies"] > hang_after_s * 1_000


def test_each_supervisor_is_found_hung_by_the_one_above_it(tmp_path: Path) -> None:
    found = {child.name: child.hang_after_ms for child, _ in branches(spec_of(system_of(tmp_path)))}

    assert found == dict.fromkeys(("execution", "strategies", "feeds"), SUPERVISOR_HANG_MS)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["execution", "feeds"])
def test_a_supervisor_that_hangs_is_started_anew_with_its_branch(system: System, path: str) -> None:
    runtime = system.runtime
    assert isinstance(runtime, StepRuntime)
    below = [cell for cell in runtime.cells.values() if cell.path.startswith(f"{path}/")]
    runtime.address(path).tell(InjectHang(reason="drill"))

    runtime.run_for(2 * SUPERVISOR_HANG_MS * 10**6)

    assert runtime.cell(path).restarts == 1
    assert {cell.state for cell in [*below, runtime.cell(path)]} == {ActorState.RUNNING}
    assert min(cell.epoch for cell in below) > 1


def test_a_root_that_hangs_is_given_up_by_whoever_stops_it(system: System) -> None:
    runtime = system.runtime
    assert isinstance(runtime, StepRuntime)
    runtime.address("root").tell(InjectHang(reason="drill"))
    runtime.run_for(NS_PER_S)

    assert not stop_root(runtime, system.root, lambda: False)
    assert {cell.state for cell in runtime.cells.values()} == {ActorState.STOPPED}


def test_a_root_that_does_its_rounds_is_waited_for(system: System) -> None:
    assert stop_root(system.runtime, system.root, lambda: False)
    assert system.root.life is not None
    assert system.root.life.outcome is ExitReason.SHUTDOWN


def test_a_root_that_does_no_rounds_is_shown_as_hung_and_nothing_is_ready(system: System) -> None:
    """Alerts and pages know that word; none above it would find it so."""
    config = demo_config({}, strategies.check_params)
    snapshots = Snapshots(system, config)
    assert snapshots.take()["root_alive"]

    snapshots.does_rounds = lambda: False
    told = snapshots.take()

    states = {actor["path"]: actor["state"] for actor in told["actors"]}
    assert (told["root_alive"], told["ready"], states["root"]) == (False, False, "hung")
    assert told["verdict"] == "CRITICAL"
    assert told["why"].startswith("the root supervisor does no rounds; root is hung")


# ---------------------------------------------------------------- who is late


def limit_s(system: System, path: str) -> float | None:
    view = actor_view(system.runtime, system.runtime.cell(path), 0)
    found: float | None = view["progress_limit_s"]
    return found


def test_one_that_is_down_and_should_be_started_again_is_late_as_any_other(system: System) -> None:
    """Its supervisor runs, by what it shows, and starts nobody: it may hang."""
    executor = system.executor.cell
    assert limit_s(system, executor.path)
    system.runtime.fence(executor)

    assert executor.state is ActorState.STOPPED
    assert limit_s(system, executor.path)


@pytest.mark.parametrize("path", ["execution", "root"])
def test_it_is_not_while_a_supervisor_above_it_is_down_or_waits_for_another(
    system: System, path: str
) -> None:
    executor, above = system.executor.cell, system.runtime.cell(path)
    system.runtime.fence(executor)
    assert above.life is not None
    above.life.may_wait_ns = 1
    assert limit_s(system, executor.path) is None

    above.life.may_wait_ns = 0
    assert limit_s(system, executor.path)
    above.set_state(ActorState.STARTING)
    assert limit_s(system, executor.path) is None


def test_what_has_come_to_its_end_or_never_began_is_not_late(tmp_path: Path) -> None:
    before = system_of(tmp_path)
    assert is_over(before.runtime, before.executor.cell)

    assert not start_root(before.runtime, before.root).problem
    assert stop_root(before.runtime, before.root, lambda: True)
    assert all(is_over(before.runtime, cell) for cell in before.runtime.cells.values())
    assert limit_s(before, "execution/executor") is None
