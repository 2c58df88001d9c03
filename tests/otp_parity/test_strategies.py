"""OTP's cases, by name, on threads and on steps: who goes down with whom."""

from decisions.supervisor import Intensity, Strategy
from messages.lifecycle import ExitReason, StartChild
from tests.actors.support import Raise, Script, World, probe
from tests.otp_parity.worlds import NEVER, ONCE, boot_three, end, end_all, epochs, pool


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
