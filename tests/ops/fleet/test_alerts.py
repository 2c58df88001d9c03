"""What a person is told of a fleet's bots, through a real receiver."""

import pytest

from decisions.fleet import BotMemory, Phase
from ops.fleet.alerts import FleetAlerts, conditions
from tests.ops.receiver import receiver

WELL = BotMemory(phase=Phase.RUNNING)
PARKED = BotMemory(phase=Phase.PARKED, why="more than 5 restarts in 300 s")


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        (WELL, []),
        (BotMemory(phase=Phase.STOPPED, why="a person drained it"), []),
        (BotMemory(phase=Phase.WAITING), []),
        (PARKED, ["a is parked: more than 5 restarts in 300 s"]),
        (
            BotMemory(phase=Phase.WAITING, why="its process ended: exit 70", restarts_ns=[1]),
            ["a is being restarted: its process ended: exit 70"],
        ),
        (
            BotMemory(phase=Phase.RUNNING, warnings=["drawdown is 6, over 5"]),
            ["a: drawdown is 6, over 5"],
        ),
        (BotMemory(phase=Phase.RUNNING, warnings=["halted: a person said so"]), []),
    ],
)
def test_what_is_wrong_with_a_bot(memory: BotMemory, said: list[str]) -> None:
    assert [one.sentence for one in conditions("a", memory)] == said


@pytest.mark.parametrize(
    ("warning", "key"),
    [
        ("drawdown is 6, over 5", "a drawdown"),
        ("disk full: nothing is started in its run directory", "a disk full"),
        ("a process that nobody here started is running in its directory", "a not ours"),
    ],
)
def test_a_fault_is_named_by_what_it_is(warning: str, key: str) -> None:
    memory = BotMemory(phase=Phase.RUNNING, warnings=[warning])

    assert [one.key for one in conditions("a", memory)] == [key]


def test_a_parked_bot_is_told_once_and_so_is_its_end() -> None:
    pytest.importorskip("apprise", reason="the extra `alerts` is not installed")
    with receiver() as there:
        alerts = FleetAlerts("desk", [there.url], calm_s=0)
        for memory in (WELL, PARKED, PARKED, WELL, WELL):
            alerts.look({"a": memory, "b": WELL})
        told = there.until(2)
        alerts.close()

    assert [one["title"] for one in told] == ["desk: CRITICAL a parked", "desk: over a parked"]
    assert alerts.problem == ""
