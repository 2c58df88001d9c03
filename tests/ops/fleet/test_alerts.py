"""What a person is told of a fleet's bots, through a real receiver."""

import socket
import threading
from pathlib import Path
from random import Random

import msgspec
import pytest

from decisions.alerting import NoticeLimits
from decisions.fleet import drain, judge
from decisions.fleet_bot import BotFacts, BotMemory, Phase, started
from decisions.fleet_rules import Policy
from messages.ids import NS_PER_S
from ops.alert_outbox import Outbox
from ops.alert_sender import Letter
from ops.fleet.alerts import FleetAlerts, conditions
from ops.fleet.command import tell
from tests.ops.fleet.fleets import Said
from tests.ops.receiver import receiver
from tests.waiting import until

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
            BotMemory(phase=Phase.WAITING, why="its process ended: exit 70", has_failed=True),
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


POLICY = Policy()
FAILED = BotFacts(is_running=False, exit_code=70)
WELL_SEEN = BotFacts(is_running=True, said_s=0.5, up_s=100.0)
SILENT = BotFacts(is_running=True, said_s=99.0, up_s=100.0)


def looked_at(*looks: BotFacts) -> BotMemory:
    """One that was started, and looked at each hour."""
    memory = BotMemory()
    started(memory, 0)
    for hour, facts in enumerate(looks, 1):
        judge(memory, facts, POLICY, hour * 3_600 * NS_PER_S, Random(1))
    return memory


@pytest.mark.parametrize(
    ("looks", "sentence"),
    [
        ([FAILED], "a is being restarted: its process ended: exit 70"),
        ([WELL_SEEN, SILENT], "a is being restarted: its last word is 99 s old"),
    ],
)
def test_what_a_person_ends_or_begins_anew_is_no_fault_whatever_once_was(
    looks: list[BotFacts], sentence: str
) -> None:
    """Else each `down` would tell of all that ever crashed."""
    memory = looked_at(*looks)
    assert [one.sentence for one in conditions("a", memory)] == [sentence]
    started(memory, 9_000 * NS_PER_S)
    for then, why in (
        (Phase.STOPPED, "a person drained it"),
        (Phase.WAITING, "the fleet went down"),
        (Phase.WAITING, "it was changed"),
    ):
        ended = msgspec.structs.replace(memory)
        drain(ended, then, why, 9_001 * NS_PER_S)
        assert conditions("a", ended) == []
        judge(ended, FAILED, POLICY, 9_002 * NS_PER_S, Random(1))
        assert conditions("a", ended) == []


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
        alerts = FleetAlerts("desk", Path("fleet.toml"), [there.url], calm_s=0)
        for memory in (WELL, PARKED, PARKED, WELL, WELL):
            alerts.look({"a": memory, "b": WELL})
        told = there.until(2)
        alerts.close()

    assert [one["title"] for one in told] == ["desk: CRITICAL a parked", "desk: over a parked"]
    assert alerts.problem == ""


def test_what_cannot_be_delivered_is_a_line_of_up_once_whenever_it_turns_out() -> None:
    pytest.importorskip("apprise", reason="the extra `alerts` is not installed")
    said = Said()
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        alerts = FleetAlerts(
            "desk", Path("fleet.toml"), [f"json://127.0.0.1:{refusing.getsockname()[1]}"], calm_s=0
        )

        def looked() -> object:
            tell(alerts, {"a": PARKED}, said)
            return said.of("undelivered")

        until(looked)
        for _ in range(3):
            tell(alerts, {"a": PARKED}, said)
        alerts.close()
    assert [len(said.of(event)) for event in ("alert", "undelivered")] == [1, 1]
    assert "json://127.0.0.1" in said.of("undelivered")[0]["why"]


def test_an_address_that_does_not_answer_is_a_line_of_up_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its attempt does not end, so that nobody told of one that had failed."""
    said, is_over = Said(), threading.Event()
    monkeypatch.setattr("ops.alert_outbox.SLOW_S", 0.0)
    monkeypatch.setattr("ops.fleet.alerts.CLOSE_S", 0.0)
    monkeypatch.setattr("ops.fleet.alerts.apprise_sender", lambda _: lambda _: str(is_over.wait()))
    alerts = FleetAlerts("desk", Path("fleet.toml"), ["json://127.0.0.1"], calm_s=0)

    def looked() -> object:
        tell(alerts, {"a": PARKED}, said)
        return said.of("undelivered")

    until(looked)
    for _ in range(3):
        tell(alerts, {"a": PARKED}, said)
    is_over.set()
    alerts.close()

    assert [one["why"] for one in said.of("undelivered")] == [
        "json://127.0.0.1 (1): it does not answer"
    ]


def test_the_last_notice_of_an_hour_says_how_many_bots_it_keeps_untold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A desk may have more bots than an hour has notices, and all may fail at once."""
    letters: list[Letter] = []
    monkeypatch.setattr(Outbox, "start", lambda _: None)
    monkeypatch.setattr(Outbox, "put", lambda _, post: letters.append(post.letter))
    alerts = FleetAlerts("desk", Path("my desk/fleet.toml"), ["json://127.0.0.1"])
    alerts.look({f"bot{place}": PARKED for place in range(40)})
    assert len(letters) == NoticeLimits().per_hour
    more = [letter.body for letter in letters if "more" in letter.body.partition("\n")[2]]
    assert more == [letters[-1].body]
    assert "10 more wait to be told, too many in an hour" in letters[-1].body
    assert "watchkeeper orchestrate ps 'my desk/fleet.toml' shows them" in letters[-1].body
