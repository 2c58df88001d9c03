"""OTP's cases, by name, on threads and on steps: counts, lists, hangs and size."""

import pytest

from actors.actor import Reject
from decisions.supervisor import Intensity, Restart, Strategy
from messages.lifecycle import ActorState, ExitReason, RestartChild, StartChild, TerminateChild
from tests.actors.support import SLOW_RETRY, End, Note, Raise, Script, World, branch, probe
from tests.otp_parity.worlds import ONCE, boot_three, end, end_all, pool


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
        world.settle(lambda epoch=epoch: world.cell("right/c").epoch > epoch or world.root_ended())  # type: ignore[misc]  # bound in each round
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
