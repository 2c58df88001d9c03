"""OTP's supervisor cases, by name, on cells: each on threads and on steps."""

import pytest

from actors.actor import Reject
from actors.children import ChildSpec, SupervisorSpec
from actors.parent import guard
from actors.supervisor import Supervisor
from decisions.supervisor import AutoShutdown, Intensity, Restart, Strategy
from messages.ids import NS_PER_S
from messages.lifecycle import (
    ActorState,
    DeleteChild,
    ExitReason,
    InjectHang,
    RestartChild,
    StartChild,
    TerminateChild,
)
from tests.actors.support import (
    SLOW_RETRY,
    End,
    Note,
    Probe,
    Raise,
    Script,
    World,
    branch,
    probe,
)

SHUTDOWN = End(reason=ExitReason.SHUTDOWN)
ONCE = Intensity(max_restarts=1, window_s=3600)
NEVER = Intensity(max_restarts=0, window_s=3600)
ANY, ALL = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT


def epochs(world: World, names: str) -> list[int]:
    return [world.cell(name).epoch for name in names]


def boot_three(world: World, script: Script, **changes: object) -> None:
    assert world.boot(*(probe(n, script) for n in "abc"), **changes).problem == ""


def end(world: World, path: str, message: object) -> None:
    """Let a child end, and wait until its supervisor has dealt with it."""
    before = len(world.happened("exited"))
    world.address(path).tell(message)
    world.settle(lambda: len(world.happened("exited")) > before)


def pool(world: World, script: Script, count: int = 0, **changes: object) -> None:
    """A simple_one_for_one root with children n0, n1, ..."""
    child = {k: changes.pop(k) for k in ("restart", "shutdown_ms", "significant") if k in changes}
    template = probe("template", script, **child)
    strategy = Strategy.SIMPLE_ONE_FOR_ONE
    assert world.boot(strategy=strategy, template=template, **changes).problem == ""
    for n in range(count):
        world.ask("root", StartChild(child=f"n{n}"))


def end_all(world: World) -> None:
    world.runtime.stop(world.root, 5 * NS_PER_S)


# ---------------------------------------------------------------- starting


def test_sup_start_normal(world: World) -> None:
    assert world.boot().problem == ""
    end_all(world)
    assert world.outcome() is ExitReason.SHUTDOWN


def test_sup_start_error_return(world: World, script: Script) -> None:
    twice = probe("a", script)
    started = world.boot(twice, twice)

    assert started.outcome is ExitReason.INIT_FAILED
    assert "same name" in started.problem


def test_sup_start_fail(world: World, script: Script) -> None:
    script.constructions.append("ValueError")
    started = world.boot(probe("a", script))

    assert started.outcome is ExitReason.INIT_FAILED
    assert "ValueError" in started.problem


def test_sup_start_child_returns_error(world: World, script: Script) -> None:
    broken = Script()
    broken.always_starts = "ValueError"
    started = world.boot(probe("a", script), probe("b", broken))

    assert started.problem == "StartFailed: b: ValueError: ValueError"
    assert script.lives == ["start a", "stop a"]


def test_sup_start_restart_child_returns_error(world: World, script: Script) -> None:
    script.starts.extend([None, "ValueError"])
    world.boot(probe("a", script))
    world.ask("root", TerminateChild(child="a"))

    with pytest.raises(Reject, match="did not start"):
        world.ask("root", RestartChild(child="a"))

    assert [(c.child, c.state) for c in world.children()] == [("a", ActorState.STOPPED)]


def test_sup_start_child_returns_error_simple(world: World, script: Script) -> None:
    pool(world, script)
    script.starts.append("ValueError")

    with pytest.raises(Reject, match="did not start"):
        world.ask("root", StartChild(child="one"))

    assert world.names() == []


def test_sup_start_map(world: World, script: Script) -> None:
    worker = ChildSpec(name="a", actor_class=Probe)
    supervisor = ChildSpec(name="b", actor_class=Supervisor)

    assert worker.restart is Restart.PERMANENT
    assert (worker.shutdown_ns, supervisor.shutdown_ns) == (5 * NS_PER_S, None)
    world.boot(probe("a", script), branch("b", world=world))
    assert [(c.child, c.is_supervisor) for c in world.children()] == [("a", False), ("b", True)]


def test_sup_start_map_simple(world: World, script: Script) -> None:
    pool(world, script, 2)

    assert [(c.child, c.is_supervisor) for c in world.children()] == [("n0", False), ("n1", False)]


# ---------------------------------------------------------------- stopping


def test_sup_stop_infinity(world: World, script: Script) -> None:
    world.boot(probe("a", script, shutdown_ms=None), branch("b", world=world, shutdown_ms=None))
    end_all(world)

    assert [world.outcome(n) for n in "ab"] == [ExitReason.SHUTDOWN] * 2


def test_sup_stop_timeout(world: World, script: Script) -> None:
    world.boot(probe("a", script, shutdown_ms=1000), probe("b", Script(), shutdown_ms=30))
    world.address("b").tell(InjectHang(reason="sleeps"))
    world.settle(lambda: world.cell("b").handling is not None)
    end_all(world)

    assert [world.outcome(n) for n in "ab"] == [ExitReason.SHUTDOWN, ExitReason.KILLED]


def test_sup_stop_timeout_dynamic(world: World, script: Script) -> None:
    pool(world, script, 3, shutdown_ms=30)
    world.address("n1").tell(InjectHang(reason="sleeps"))
    world.settle(lambda: world.cell("n1").handling is not None)
    end_all(world)

    outcomes = [world.outcome(f"n{n}") for n in range(3)]
    assert outcomes == [ExitReason.SHUTDOWN, ExitReason.KILLED, ExitReason.SHUTDOWN]


def test_sup_stop_brutal_kill(world: World, script: Script) -> None:
    world.boot(probe("a", script), probe("b", script, shutdown_ms=0))
    end_all(world)

    assert [world.outcome(n) for n in "ab"] == [ExitReason.SHUTDOWN, ExitReason.KILLED]
    assert script.lives == ["start a", "start b", "stop a"]


def test_sup_stop_brutal_kill_dynamic(world: World, script: Script) -> None:
    pool(world, script, 5, shutdown_ms=0)
    end_all(world)

    assert {world.outcome(f"n{n}") for n in range(5)} == {ExitReason.KILLED}


def test_sup_stop_race(world: World, script: Script) -> None:
    """Children end by themselves while their supervisor stops them."""
    pool(world, script, 20)
    for n in range(20):
        world.address(f"n{n}").tell(SHUTDOWN)
    end_all(world)

    assert {world.outcome(f"n{n}") for n in range(20)} == {ExitReason.SHUTDOWN}
    assert world.outcome() is ExitReason.SHUTDOWN


def test_sup_stop_non_shutdown_exit_dynamic(world: World, script: Script) -> None:
    pool(world, script, 3)
    script.ends.append("ValueError")
    end_all(world)

    outcomes = [world.outcome(f"n{n}") for n in range(3)]
    assert sorted(map(str, outcomes)) == ["crashed", "shutdown", "shutdown"]
    assert world.outcome() is ExitReason.SHUTDOWN


# ---------------------------------------------------------------- administration


def test_child_adm(world: World, script: Script) -> None:
    world.boot(probe("a", script))
    for refused in (StartChild(child="a"), RestartChild(child="a"), DeleteChild(child="a")):
        with pytest.raises(Reject, match="running"):
            world.ask("root", refused)
    for unknown in (TerminateChild(child="x"), RestartChild(child="x"), DeleteChild(child="x")):
        with pytest.raises(Reject, match="no child x"):
            world.ask("root", unknown)

    world.ask("root", TerminateChild(child="a"))
    world.ask("root", TerminateChild(child="a"))
    assert [(c.child, c.state) for c in world.children()] == [("a", ActorState.STOPPED)]
    assert world.ask("root", RestartChild(child="a")).state is ActorState.RUNNING

    world.ask("root", TerminateChild(child="a"))
    world.ask("root", DeleteChild(child="a"))
    assert world.names() == []
    with pytest.raises(Reject, match="no child a"):
        world.ask("root", RestartChild(child="a"))


def test_child_adm_simple(world: World, script: Script) -> None:
    pool(world, script, 2)

    with pytest.raises(Reject, match="already"):
        world.ask("root", StartChild(child="n0"))
    world.ask("root", TerminateChild(child="n0"))

    assert world.names() == ["n1"]
    for invalid in (RestartChild(child="n1"), DeleteChild(child="n1")):
        with pytest.raises(Reject):
            world.ask("root", invalid)
    with pytest.raises(Reject, match="no child n0"):
        world.ask("root", TerminateChild(child="n0"))


def test_child_specs(world: World, script: Script) -> None:
    a = probe("a", script)
    wrong = [
        SupervisorSpec(children=(a, a)),
        SupervisorSpec(children=(probe("a", script, significant=True),)),
        SupervisorSpec(children=(probe("a", script, significant=True),), auto_shutdown=ANY),
        SupervisorSpec(children=(a,), template=a, strategy=Strategy.SIMPLE_ONE_FOR_ONE),
    ]

    for spec in wrong:
        with pytest.raises(ValueError, match=r"same name|significant|starts without"):
            guard(spec)
        root = world.runtime.populate("root", Supervisor, {"spec": spec})
        assert world.runtime.start(root).outcome is ExitReason.INIT_FAILED
    guard(SupervisorSpec(children=(a, probe("b", script))))


def test_sup_flags(world: World) -> None:
    spec = SupervisorSpec()

    assert spec.strategy is Strategy.ONE_FOR_ONE
    assert (spec.intensity.max_restarts, spec.intensity.window_s) == (1, 5)
    assert spec.auto_shutdown is AutoShutdown.NEVER


# ---------------------------------------------------------------- restart types


def test_permanent_normal(world: World, script: Script) -> None:
    world.boot(probe("a", script))
    end(world, "a", End())
    world.until_running("a", 2)


def test_transient_normal(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TRANSIENT))
    end(world, "a", End())
    assert [(c.child, c.state, c.epoch) for c in world.children()] == [("a", ActorState.STOPPED, 1)]


def test_temporary_normal(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TEMPORARY))
    end(world, "a", End())
    assert world.names() == []


def test_permanent_shutdown(world: World, script: Script) -> None:
    world.boot(probe("a", script))
    end(world, "a", SHUTDOWN)
    world.until_running("a", 2)


def test_transient_shutdown(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TRANSIENT))
    end(world, "a", SHUTDOWN)
    assert [(c.child, c.state, c.epoch) for c in world.children()] == [("a", ActorState.STOPPED, 1)]


def test_temporary_shutdown(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TEMPORARY))
    end(world, "a", SHUTDOWN)
    assert world.names() == []


def test_permanent_abnormal(world: World, script: Script) -> None:
    world.boot(probe("a", script))
    end(world, "a", Raise())
    world.until_running("a", 2)


def test_transient_abnormal(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TRANSIENT))
    end(world, "a", Raise())
    world.until_running("a", 2)


def test_temporary_abnormal(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TEMPORARY))
    end(world, "a", Raise())
    assert world.names() == []


def test_temporary_bystander(world: World, script: Script) -> None:
    """A temporary child that a sibling took down does not come back, under either strategy."""
    for name, strategy in (("x", Strategy.ONE_FOR_ALL), ("y", Strategy.REST_FOR_ONE)):
        root = world.runtime.populate(name, Supervisor, {})
        root.arguments = branch(
            name,
            probe("permanent", script),
            probe("temporary", script, restart=Restart.TEMPORARY),
            world=world,
            strategy=strategy,
        ).arguments
        assert world.runtime.start(root).problem == ""
        world.address(f"{name}/permanent").tell(Raise())
        world.until_running(f"{name}/permanent", 2)

        assert world.names(name) == ["permanent"]
        assert world.address(f"{name}/temporary").tell(Note(text="gone")) is False


# ---------------------------------------------------------------- strategies


def test_multiple_restarts(world: World, script: Script) -> None:
    world.boot(probe("a", script), intensity=Intensity(max_restarts=50, window_s=3600))
    for epoch in range(2, 52):
        world.address("a").tell(Raise())
        world.until_running("a", epoch)

    world.address("a").tell(Raise())
    world.until_ended()
    assert world.outcome() is ExitReason.SHUTDOWN


def test_one_for_one(world: World, script: Script) -> None:
    boot_three(world, script)
    end(world, "b", Raise())
    world.until_running("b", 2)

    assert epochs(world, "abc") == [1, 2, 1]
    assert world.names() == ["a", "b", "c"]


def test_one_for_one_escalation(world: World, script: Script) -> None:
    boot_three(world, script, intensity=NEVER)
    world.address("b").tell(Raise())
    world.until_ended()

    assert world.outcome() is ExitReason.SHUTDOWN
    assert script.lives[3:] == ["stop c", "stop a"]


def test_one_for_all(world: World, script: Script) -> None:
    boot_three(world, script, strategy=Strategy.ONE_FOR_ALL)
    end(world, "b", Raise())
    world.until_running("c", 2)

    assert epochs(world, "abc") == [2, 2, 2]
    assert script.lives[3:] == ["stop c", "stop a", "start a", "start b", "start c"]


def test_one_for_all_escalation(world: World, script: Script) -> None:
    boot_three(world, script, strategy=Strategy.ONE_FOR_ALL, intensity=NEVER)
    world.address("a").tell(Raise())
    world.until_ended()

    assert world.outcome() is ExitReason.SHUTDOWN
    assert script.lives[3:] == ["stop c", "stop b"]


def test_one_for_all_other_child_fails_restart(world: World, script: Script) -> None:
    other = Script()
    other.starts.extend([None, "ValueError"])
    world.boot(
        probe("a", script), probe("b", other), probe("c", script), strategy=Strategy.ONE_FOR_ALL
    )
    world.address("c").tell(Raise())
    world.until_running("c", 2)

    assert epochs(world, "abc") == [3, 3, 2]
    assert script.lives == [
        "start a",
        "start c",
        "stop a",
        "start a",
        "stop a",
        "start a",
        "start c",
    ]


def test_simple_one_for_one(world: World, script: Script) -> None:
    pool(world, script, 3)
    end(world, "n1", Raise())
    world.until_running("n1", 2)

    assert [(c.child, c.epoch) for c in world.children()] == [("n0", 1), ("n1", 2), ("n2", 1)]


def test_simple_one_for_one_shutdown(world: World, script: Script) -> None:
    pool(world, script, 4)
    end_all(world)

    assert {world.outcome(f"n{n}") for n in range(4)} == {ExitReason.SHUTDOWN}
    assert len([x for x in script.lives if x.startswith("stop")]) == 4


def test_simple_one_for_one_extra(world: World, script: Script) -> None:
    pool(world, script)
    world.ask("root", StartChild(child="eth", arguments=("ETH/USDT", "1m")))
    given = world.cell("eth").arguments["extra"]
    end(world, "eth", Raise())
    world.until_running("eth", 2)

    assert given == world.cell("eth").arguments["extra"] == ("ETH/USDT", "1m")


def test_simple_one_for_one_escalation(world: World, script: Script) -> None:
    pool(world, script, 2, intensity=ONCE)
    end(world, "n0", Raise())
    world.until_running("n0", 2)
    world.address("n1").tell(Raise())
    world.until_ended()

    assert world.outcome() is ExitReason.SHUTDOWN
    assert world.outcome("n0") is ExitReason.SHUTDOWN


def test_rest_for_one(world: World, script: Script) -> None:
    boot_three(world, script, strategy=Strategy.REST_FOR_ONE)
    end(world, "b", Raise())
    world.until_running("c", 2)

    assert epochs(world, "abc") == [1, 2, 2]
    assert script.lives[3:] == ["stop c", "start b", "start c"]


def test_rest_for_one_escalation(world: World, script: Script) -> None:
    boot_three(world, script, strategy=Strategy.REST_FOR_ONE, intensity=NEVER)
    world.address("b").tell(Raise())
    world.until_ended()

    assert script.lives[3:] == ["stop c", "stop a"]


def test_rest_for_one_other_child_fails_restart(world: World, script: Script) -> None:
    other = Script()
    other.starts.extend([None, "ValueError"])
    world.boot(
        probe("a", script), probe("b", other), probe("c", script), strategy=Strategy.REST_FOR_ONE
    )
    world.address("a").tell(Raise())
    world.until_running("c", 2)

    assert epochs(world, "abc") == [2, 3, 2]
    assert script.lives == ["start a", "start c", "stop c", "start a", "start c"]


# ---------------------------------------------------------------- significant children


@pytest.mark.parametrize("mode", list(AutoShutdown))
@pytest.mark.parametrize("last", [End(), SHUTDOWN, Raise()])
def test_nonsignificant_temporary(
    world: World, script: Script, mode: AutoShutdown, last: object
) -> None:
    world.boot(probe("a", script, restart=Restart.TEMPORARY), auto_shutdown=mode)
    end(world, "a", last)

    assert world.names() == []


@pytest.mark.parametrize("mode", list(AutoShutdown))
def test_nonsignificant_transient(world: World, script: Script, mode: AutoShutdown) -> None:
    world.boot(probe("a", script, restart=Restart.TRANSIENT), auto_shutdown=mode)
    end(world, "a", End())

    assert world.names() == ["a"]


def significant(name: str, script: Script, restart: Restart) -> ChildSpec:
    return probe(name, script, restart=restart, significant=True)


@pytest.mark.parametrize("last", [End(), SHUTDOWN, Raise()])
def test_significant_temporary(world: World, script: Script, last: object) -> None:
    both = [significant(n, script, Restart.TEMPORARY) for n in "ab"]
    world.boot(*both, probe("c", script), auto_shutdown=ALL)
    end(world, "a", last)
    assert world.names() == ["b", "c"]
    world.address("b").tell(last)
    world.until_ended()
    assert world.outcome("c") is ExitReason.SHUTDOWN

    assert world.boot(*both, probe("c", script), auto_shutdown=ANY).problem == ""
    world.address("a").tell(last)
    world.until_ended()
    assert world.outcome("b") is ExitReason.SHUTDOWN


def test_significant_transient(world: World, script: Script) -> None:
    both = [significant(n, script, Restart.TRANSIENT) for n in "ab"]
    world.boot(*both, auto_shutdown=ANY)
    end(world, "a", Raise())
    world.until_running("a", 2)
    world.address("a").tell(End())
    world.until_ended()
    assert world.outcome("b") is ExitReason.SHUTDOWN

    assert world.boot(*both, auto_shutdown=ALL).problem == ""
    end(world, "a", SHUTDOWN)
    assert world.names() == ["a", "b"]
    world.address("b").tell(End())
    world.until_ended()


def test_significant_simple(world: World, script: Script) -> None:
    changes = {"restart": Restart.TRANSIENT, "significant": True}
    pool(world, script, 2, auto_shutdown=ALL, **changes)
    end(world, "n0", End())
    assert world.names() == ["n1"]
    world.address("n1").tell(End())
    world.until_ended()

    assert world.outcome() is ExitReason.SHUTDOWN


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
def test_significant_bystander(world: World, script: Script, strategy: Strategy) -> None:
    """A significant child that went down with a sibling has not ended by itself."""
    world.boot(
        probe("a", script),
        significant("b", script, Restart.TRANSIENT),
        significant("c", script, Restart.TEMPORARY),
        strategy=strategy,
        auto_shutdown=ANY,
    )
    world.address("a").tell(Raise())
    world.until_running("b", 2)

    assert world.names() == ["a", "b"]
    assert world.outcome() is None


def test_significant_escalation(world: World, script: Script) -> None:
    """A supervisor that ended so is itself a significant child that ended."""
    mid = branch(
        "mid",
        significant("a", script, Restart.TRANSIENT),
        world=world,
        auto_shutdown=ANY,
        restart=Restart.TRANSIENT,
        significant=True,
    )
    world.boot(probe("first", script), mid, auto_shutdown=ANY)
    world.address("mid/a").tell(End())
    world.until_ended()

    assert world.outcome("mid") is ExitReason.SHUTDOWN
    assert world.outcome("first") is ExitReason.SHUTDOWN


# ---------------------------------------------------------------- the rest


def test_tree(world: World, script: Script) -> None:
    """A small tree: failures stay in their branch until it gives up."""
    left = branch("left", *(probe(n, script) for n in "ab"), world=world, intensity=ONCE)
    right = branch("right", *(probe(n, script) for n in "cd"), world=world, intensity=ONCE)
    world.boot(left, right, intensity=ONCE)

    world.address("left/a").tell(Raise())
    world.until_running("left/a", 2)
    assert [c.epoch for c in world.children()] == [1, 1]

    world.address("left/b").tell(Raise())
    world.until_running("left", 2)
    world.until_running("left/b", 2)
    assert [c.epoch for c in world.children()] == [2, 1]
    assert [c.epoch for c in world.children("right")] == [1, 1]

    for _ in range(2):
        epoch = world.cell("right/c").epoch
        world.address("right/c").tell(Raise())
        world.settle(lambda epoch=epoch: world.cell("right/c").epoch > epoch or world.root_ended())  # type: ignore[misc]
    world.until_ended()
    assert world.outcome("left/a") is ExitReason.SHUTDOWN


def test_count_children(world: World, script: Script) -> None:
    boot_three(world, script)
    world.ask("root", TerminateChild(child="b"))
    rows = world.children()

    assert len(rows) == 3
    assert len([r for r in rows if r.state is ActorState.RUNNING]) == 2


def test_count_children_supervisor(world: World, script: Script) -> None:
    world.boot(probe("a", script), branch("mid", probe("b", script), world=world))

    assert len([r for r in world.children() if r.is_supervisor]) == 1
    assert len([r for r in world.children() if not r.is_supervisor]) == 1


def test_count_restarting_children(world: World, script: Script) -> None:
    boot_three(world, script, backoff=SLOW_RETRY)
    end(world, "b", Raise())

    rows = world.children()
    assert [r.state for r in rows] == [
        ActorState.RUNNING,
        ActorState.BACKOFF,
        ActorState.RUNNING,
    ]


def test_do_not_save_start_parameters_for_temporary_children(world: World, script: Script) -> None:
    pool(world, script, restart=Restart.TEMPORARY)
    world.ask("root", StartChild(child="one", arguments=("big",)))
    end(world, "one", Raise())

    assert world.names() == []
    assert world.ask("root", StartChild(child="one")).epoch == 2
    assert "extra" not in world.cell("one").arguments


def test_do_not_save_child_specs_for_temporary_children(world: World, script: Script) -> None:
    world.boot(*(probe(n, script, restart=Restart.TEMPORARY) for n in "ab"))
    end(world, "a", End())
    world.ask("root", TerminateChild(child="b"))

    assert world.names() == []
    with pytest.raises(Reject, match="no child a"):
        world.ask("root", RestartChild(child="a"))


def test_simple_one_for_one_scale_many_temporary_children(world: World, script: Script) -> None:
    pool(world, script, 100, restart=Restart.TEMPORARY)
    for n in range(100):
        world.address(f"n{n}").tell(End())
    world.settle(lambda: len(world.happened("exited")) == 100)

    assert world.names() == []


def test_hanging_restart_loop(world: World, script: Script) -> None:
    """A child that cannot start again keeps nobody from talking to its supervisor."""
    endless = Intensity(max_restarts=10**9, window_s=3600)
    world.boot(probe("a", script), probe("b", Script()), intensity=endless)
    script.always_starts = "ValueError"
    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").epoch > 5)

    assert [c.child for c in world.children()] == ["a", "b"]
    assert world.ask("b", Note(text="well")) == ("well", 1)
    world.ask("root", TerminateChild(child="a"))
    down_at = world.cell("a").epoch
    world.rest()
    assert world.cell("a").epoch == down_at


def test_hanging_restart_loop_rest_for_one(world: World, script: Script) -> None:
    endless = Intensity(max_restarts=10**9, window_s=3600)
    other = Script()
    world.boot(
        probe("a", other),
        probe("b", script),
        probe("c", other),
        intensity=endless,
        strategy=Strategy.REST_FOR_ONE,
    )
    script.always_starts = "ValueError"
    world.address("b").tell(Raise())
    world.settle(lambda: world.cell("b").epoch > 5)

    states = {c.child: c.state for c in world.children()}
    assert states["a"] is ActorState.RUNNING
    assert states["c"] is ActorState.STOPPED
    script.always_starts = None
    world.until_running("c", 2)


def test_hanging_restart_loop_simple(world: World, script: Script) -> None:
    pool(world, script, 2, intensity=Intensity(max_restarts=10**9, window_s=3600))
    script.always_starts = "ValueError"
    world.address("n0").tell(Raise())
    world.settle(lambda: world.cell("n0").epoch > 5)

    assert world.names() == ["n0", "n1"]
    world.ask("root", TerminateChild(child="n0"))
    assert world.names() == ["n1"]


def test_order_of_children(world: World, script: Script) -> None:
    boot_three(world, script)
    end(world, "a", Raise())
    world.until_running("a", 2)
    world.ask("root", TerminateChild(child="b"))
    world.ask("root", RestartChild(child="b"))
    assert world.names() == ["a", "b", "c"]
    script.lives.clear()
    end_all(world)

    assert script.lives == ["stop c", "stop b", "stop a"]


def test_scale_start_stop_many_children(world: World, script: Script) -> None:
    pool(world, script, 150)
    assert len(world.names()) == 150
    for n in range(0, 150, 2):
        world.ask("root", TerminateChild(child=f"n{n}"))
    assert len(world.names()) == 75
    end_all(world)

    assert len([x for x in script.lives if x.startswith("stop")]) == 150


def test_which_children(world: World, script: Script) -> None:
    world.boot(branch("mid", probe("a", script), world=world))

    (row,) = world.children()
    assert (row.child, row.path, row.state, row.epoch) == ("mid", "mid", ActorState.RUNNING, 1)
    (row,) = world.children("mid")
    assert (row.child, row.path, row.is_supervisor) == ("a", "mid/a", False)


def test_which_children_simple_one_for_one(world: World, script: Script) -> None:
    pool(world, script, 2)
    end(world, "n0", Raise())
    world.until_running("n0", 2)

    assert [(c.child, c.epoch) for c in world.children()] == [("n0", 2), ("n1", 1)]
