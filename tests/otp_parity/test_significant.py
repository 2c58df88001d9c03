"""OTP's cases, by name, on threads and on steps: who ends its supervisor with it."""

import pytest

from actors.children import ChildSpec
from decisions.supervisor import AutoShutdown, Restart, Strategy
from messages.lifecycle import ExitReason
from tests.actors.support import End, Raise, Script, World, branch, probe
from tests.otp_parity.worlds import ALL, ANY, SHUTDOWN, end, pool


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
