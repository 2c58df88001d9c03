"""OTP's cases, by name, on threads and on steps: children stop."""

from messages.ids import NS_PER_MS
from messages.lifecycle import ExitReason, InjectHang
from tests.actors.support import Script, World, branch, probe
from tests.otp_parity.worlds import SHUTDOWN, end_all, pool


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
    """Those that hang have one and the same time: four take no longer than one."""
    pool(world, script, 6, shutdown_ms=30)
    hung = ("n0", "n1", "n3", "n5")
    for name in hung:
        world.address(name).tell(InjectHang(reason="sleeps"))
    world.settle(lambda: all(world.cell(name).handling is not None for name in hung))
    begun_ns = world.runtime.clock.monotonic_ns()
    end_all(world)
    took_ns = world.runtime.clock.monotonic_ns() - begun_ns

    assert {world.outcome(name) for name in hung} == {ExitReason.KILLED}
    assert {world.outcome(name) for name in ("n2", "n4")} == {ExitReason.SHUTDOWN}
    if world.steps:  # where time is what is waited for, and nothing else
        assert took_ns == 30 * NS_PER_MS


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
