"""OTP's cases, by name, on threads and on steps: children start."""

import pytest

from actors.actor import Reject
from actors.children import ChildSpec
from actors.supervisor import Supervisor
from decisions.supervisor import Restart
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, ExitReason, RestartChild, StartChild, TerminateChild
from tests.actors.support import Probe, Script, World, branch, probe
from tests.otp_parity.worlds import end_all, pool


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

    assert started.problem == "b: ValueError: ValueError"
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


def test_sup_start_map_faulty_specs(world: World, script: Script) -> None:
    """What misses a part, or has one that nobody knows, is no spec; nothing is started."""
    nameless, classless = {"actor_class": Probe}, {"name": "a"}
    for parts in (nameless, classless, {**nameless, **classless, "silly_flag": True}):
        with pytest.raises(TypeError, match="argument"):
            ChildSpec(**parts)
    started = world.boot(probe("a", script), "b")  # type: ignore[arg-type]  # what is refused

    assert started.outcome is ExitReason.INIT_FAILED
    assert "children of a supervisor must be a tuple of ChildSpec" in started.problem
    assert script.lives == []
