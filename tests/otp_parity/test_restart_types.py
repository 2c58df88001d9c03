"""OTP's cases, by name, on threads and on steps: what ended is started again, or not."""

from actors.supervisor import Supervisor
from decisions.supervisor import Restart, Strategy
from messages.lifecycle import ActorState
from tests.actors.support import End, Note, Raise, Script, World, branch, probe
from tests.otp_parity.worlds import SHUTDOWN, end


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
