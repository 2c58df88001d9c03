"""Hung actors are replaced; what the abandoned thread does later is void."""

import threading
from typing import Any

import pykka
import pytest

from actors.cell import Cell
from decisions.supervisor import Strategy
from messages.errors import ActorCrashed, ActorUnavailable, AskTimeout, WouldDeadlock
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import (
    ActorState,
    ExitReason,
    InjectCrash,
    InjectHang,
    Ping,
    RestartChild,
    TerminateChild,
)
from tests.actors.support import (
    SLOW_RETRY,
    End,
    Note,
    Pass,
    Probe,
    Raise,
    Script,
    Wait,
    World,
    branch,
    probe,
)


def test_a_hung_actor_is_replaced_and_its_mail_is_handled_once(
    world: World, script: Script
) -> None:
    world.boot(probe("a", script, hang_after_ms=50))
    address = world.address("a")

    address.tell(Note(text="before"))
    world.settle(lambda: script.notes == ["before"])
    address.tell(InjectHang(reason="drill"))
    world.settle(lambda: world.cell("a").handling is not None)
    for n in range(50):
        assert address.tell(Note(text=str(n)))
    world.until_running("a", 2)
    world.ask("a", Ping())

    assert script.notes == ["before", *map(str, range(50))]
    assert world.dead("a") == {"poison": 1}
    assert world.happened("exited")[0].reason.startswith("killed: hung on InjectHang for ")
    assert len(world.happened("hung")) == 1


def test_a_zombie_that_wakes_can_do_nothing(threads: World, script: Script) -> None:
    sink = Script()
    threads.solo("sink", sink)
    threads.boot(probe("a", script, hang_after_ms=30))
    cell = threads.cell("a")
    threads.address("a").tell(Wait(text="zombie"))
    threads.settle(script.inside.is_set)
    threads.address("a").tell(Note(text="queued"))
    threads.until_running("a", 2)
    assert len(cell.zombies) == 1

    script.gate.set()
    threads.settle(lambda: not cell.zombies)
    threads.settle(lambda: cell.handling is None)  # "queued" may be in hand still

    assert threads.ask("a", Note(text="new")) == ("new", 2)
    assert sorted(script.notes) == ["new", "queued", "zombie"]
    assert sink.notes == []
    assert cell.processed == 2
    assert (cell.state, cell.epoch, cell.handling) == (ActorState.RUNNING, 2, None)
    assert threads.dead("a") == {"poison": 1}


def test_a_zombie_that_fails_when_it_wakes_harms_nobody(threads: World, script: Script) -> None:
    class Late(Probe):
        def receive(self, message: object) -> object:
            if isinstance(message, Raise):
                self.script.inside.set()
                self.script.gate.wait(20)
            return super().receive(message)

    threads.boot(probe("a", script, actor_class=Late, hang_after_ms=30))
    threads.address("a").tell(Raise())
    threads.until_running("a", 2)
    error = threads.cell("a").last_error

    script.gate.set()
    threads.settle(lambda: not threads.cell("a").zombies)

    assert threads.ask("a", Note(text="well")) == ("well", 2)
    assert threads.cell("a").last_error == error
    assert threads.dead("a") == {"poison": 1}


def test_zombies_that_have_ended_are_forgotten(threads: World, script: Script) -> None:
    threads.boot(probe("a", script, hang_after_ms=20))

    for epoch in range(2, 7):
        threads.address("a").tell(InjectHang(reason="drill"))
        threads.until_running("a", epoch)

    threads.settle(lambda: threads.cell("a").zombies == [])


@pytest.mark.slow
def test_an_idle_actor_that_is_killed_leaves_its_mailbox_at_once(
    threads: World, script: Script
) -> None:
    threads.boot(
        probe("a", script, shutdown_ms=0, capacity=10**6),
        probe("b", Script()),
        strategy=Strategy.ONE_FOR_ALL,
    )
    address = threads.address("a")
    sent = 0
    for epoch in range(2, 40):
        threads.address("b").tell(Raise())
        while not threads.running("a", epoch):
            if sent < 300 * epoch:
                sent += address.tell(Note(text=str(sent)))
    threads.settle(lambda: threads.cell("a").mailbox.depth() == 0)
    threads.ask("a", Ping())

    letters = threads.runtime.dead_letters
    killed = {letter.message.text for letter in letters.ring if letter.why == "killed"}
    handled = [int(text) for text in script.notes if text not in killed]
    assert handled == sorted(set(handled))
    assert {str(n) for n in range(sent)} == {*script.notes, *killed}


class Holder(Probe):
    """Holds what the next one needs, as an executor its ledger and a feed its connection."""

    def crashed(self) -> None:
        self.script.lives.append("let go")


def holder(world: World, script: Script) -> Cell:
    cell = world.runtime.populate("a", Holder, {"script": script})
    assert not world.runtime.start(cell).problem
    return cell


def test_who_is_given_up_right_after_a_message_lets_go_and_once(
    world: World, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is handed to it any more: Pykka's loop looks first whether it was stopped."""
    cell = holder(world, script)
    monkeypatch.setattr(cell, "count_handled", lambda *_: world.runtime.fence(cell))

    world.address("a").tell(Ping())

    world.settle(lambda: script.lives[1:] != [])
    life = cell.life
    assert life is not None
    world.settle(lambda: world.steps or not life.runs_on)
    assert script.lives == ["start a", "let go"]


def test_who_is_given_up_with_its_stop_in_hand_lets_go(
    world: World, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, forget = holder(world, script), pykka.ActorRegistry.unregister

    def given_up(ref: Any) -> None:
        forget(ref)
        monkeypatch.setattr(pykka.ActorRegistry, "unregister", forget)
        world.runtime.fence(cell)

    monkeypatch.setattr(pykka.ActorRegistry, "unregister", given_up)
    world.address("a").tell(End())

    world.settle(lambda: script.lives[1:] != [])
    assert script.lives == ["start a", "let go"]


def test_a_stop_that_came_too_late_does_not_stop_the_next_incarnation(
    threads: World, script: Script
) -> None:
    """The stop request of a killed incarnation is still queued when the next one reads."""
    threads.boot(
        probe("a", script, shutdown_ms=10), probe("b", Script()), strategy=Strategy.ONE_FOR_ALL
    )
    threads.address("a").tell(Wait())
    threads.settle(script.inside.is_set)

    threads.address("b").tell(Raise())
    threads.until_running("a", 2)

    assert threads.ask("a", Note(text="well")) == ("well", 2)
    threads.settle(lambda: threads.cell("a").restarts == 1)
    assert threads.dead("a") == {"killed": 1}
    script.gate.set()


def test_timers_of_an_incarnation_end_with_it(world: World) -> None:
    fired: list[int] = []

    class Ticking(Probe):
        def started(self) -> None:
            self.ctx.every(10 * NS_PER_MS, Note(text=str(self.ctx.epoch)))

        def receive(self, message: object) -> object:
            if isinstance(message, Note):
                fired.append(int(message.text))
                assert int(message.text) == self.ctx.epoch
            return super().receive(message)

    world.boot(probe("a", Script(), actor_class=Ticking))
    world.settle(lambda: fired.count(1) >= 2)
    world.address("a").tell(Raise())
    world.settle(lambda: fired.count(2) >= 3)

    assert fired == sorted(fired)


# ---------------------------------------------------------------- supervisors that die


@pytest.mark.parametrize("how", [InjectCrash, InjectHang])
def test_a_dying_supervisor_takes_its_children_with_it(
    world: World, script: Script, how: Any
) -> None:
    limit_ms = 50 if how is InjectHang else 60_000  # one that dies may take its time
    world.boot(branch("mid", probe("a", script), world=world, hang_after_ms=limit_ms))
    first = world.cell("mid/a").life
    assert first is not None

    world.address("mid").tell(how(reason="drill"))
    world.until_running("mid/a", 2)
    world.until_running("mid", 2)

    assert first.gone.is_set()
    assert first.fenced is (how is InjectHang)
    assert world.ask("mid/a", Note(text="one only")) == ("one only", 2)
    world.settle(lambda: world.cell("mid").restarts == 1)


def test_a_dying_supervisor_stops_its_children_in_reverse(world: World, script: Script) -> None:
    world.boot(branch("mid", *(probe(n, script) for n in "abc"), world=world))

    world.address("mid").tell(InjectCrash(reason="drill"))
    world.until_running("mid/c", 2)

    assert script.lives[3:6] == ["stop mid/c", "stop mid/b", "stop mid/a"]


def test_mail_of_grandchildren_outlives_the_restart_of_their_supervisor(
    world: World, script: Script
) -> None:
    world.boot(branch("mid", probe("a", script), world=world), backoff=SLOW_RETRY)

    world.address("mid").tell(InjectCrash(reason="drill"))
    world.settle(lambda: world.cell("mid").state is ActorState.BACKOFF)
    assert world.address("mid/a").tell(Note(text="patient"))
    world.until_running("mid/a", 2)
    world.ask("mid/a", Ping())

    assert script.notes == ["patient"]
    assert world.dead("mid/a") == {}


def test_a_supervisor_that_starts_too_slowly_is_given_up_with_all_it_started(
    threads: World, script: Script
) -> None:
    """Its thread comes back to itself later; it starts nothing then and stops nothing."""
    slow = Script()
    slow.starts.append("wait")
    a, b = Script(), Script()

    class Slow(Probe):
        def started(self) -> None:
            if self.script.starts:
                self.script.starts.clear()
                self.script.inside.set()
                self.script.gate.wait(20)

    mid = branch(
        "mid",
        probe("a", a),
        probe("slow", slow, actor_class=Slow),
        probe("b", b),
        world=threads,
        start_timeout_ms=200,
    )
    threads.boot(probe("other", script), mid, tolerant_start=True)
    threads.until_running("mid/b", 1)
    threads.until_running("mid", 2)

    slow.gate.set()
    threads.pass_time(50)

    assert threads.ask("mid/a", Note(text="alive")) == ("alive", 2)
    assert threads.ask("mid/slow", Note(text="alive")) == ("alive", 2)
    assert threads.ask("mid/b", Note(text="alive")) == ("alive", 1)
    assert [c.epoch for c in threads.children("mid")] == [2, 2, 1]


def test_a_supervisor_whose_listener_fails_leaves_no_orphans(world: World, script: Script) -> None:
    calls: list[str] = []

    def listen(event: object) -> None:
        calls.append("")
        if len(calls) == 2:
            raise ValueError("the listener failed")

    mid = branch("mid", probe("a", script), probe("b", script), world=world)
    mid.arguments["on_event"] = listen
    started = world.boot(mid)

    assert "the listener failed" in started.problem
    life = world.cell("mid/a").life
    assert life is not None
    assert life.gone.is_set()


# ---------------------------------------------------------------- asking


def test_a_ring_of_asks_is_refused_by_name(world: World) -> None:
    for name in "abc":
        world.solo(name, Script())
    chain = Pass(path="b", message=Pass(path="c", message=Pass(path="a", message=Ping())))

    with pytest.raises(ActorCrashed) as caught:
        world.ask("a", chain)

    assert "WouldDeadlock: an ask would wait for itself: c -> a -> b -> c" in str(chained(caught))


def chained(caught: "pytest.ExceptionInfo[BaseException]") -> list[str]:
    """The messages of an error and all its causes."""
    said: list[str] = []
    error: BaseException | None = caught.value
    while error is not None:
        said.append(f"{type(error).__name__}: {error}")
        error = error.__cause__
    return said


def test_an_actor_that_asks_itself_is_refused(world: World) -> None:
    world.solo("a", Script())

    with pytest.raises(ActorCrashed) as caught:
        world.ask("a", Pass(path="a", message=Ping()))

    assert isinstance(caught.value.__cause__, WouldDeadlock)


def test_a_chain_of_asks_that_closes_no_ring_is_answered(world: World) -> None:
    for name in "abc":
        world.solo(name, Script())

    answer = world.ask("a", Pass(path="b", message=Pass(path="c", message=Ping())))

    assert answer == "c"


def test_nobody_answers_in_time(world: World, script: Script) -> None:
    world.solo("a", script)
    world.address("a").tell(InjectHang(reason="drill"))

    with pytest.raises(AskTimeout, match=r"a gave no answer in 0\.05 s"):
        world.ask("a", Ping(), 50 * NS_PER_MS)


def test_an_ask_to_a_dead_actor_is_answered_at_once(world: World, script: Script) -> None:
    world.boot(probe("a", script))
    world.ask("root", TerminateChild(child="a"))

    with pytest.raises(ActorUnavailable, match="a did not take the message: ended"):
        world.ask("a", Ping(), 3600 * NS_PER_S)


def test_an_ask_that_was_queued_at_the_end_is_answered_at_once(
    threads: World, script: Script
) -> None:
    threads.boot(probe("a", script, shutdown_ms=10))
    threads.address("a").tell(Wait())
    threads.settle(script.inside.is_set)
    told: list[Exception] = []

    def ask() -> None:
        try:
            threads.ask("a", Ping())
        except ActorUnavailable as error:
            told.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    threads.settle(lambda: threads.cell("a").mailbox.depth() == 1)
    threads.ask("root", TerminateChild(child="a"))
    asker.join(20)
    script.gate.set()

    assert [str(error) for error in told] == ["a did not take the message: ended"]


def test_a_full_mailbox_answers_an_ask_at_once(world: World, script: Script) -> None:
    world.boot(probe("a", script, capacity=1))
    world.address("a").tell(InjectHang(reason="drill"))
    world.settle(lambda: world.cell("a").handling is not None)
    world.address("a").tell(Note(text="fills it"))

    with pytest.raises(ActorUnavailable, match="full"):
        world.ask("a", Ping())


def test_an_address_works_before_the_first_start_and_over_every_restart(
    world: World, script: Script
) -> None:
    address = world.address("a")
    assert address.epoch == 0
    assert address.tell(Note(text="early"))

    world.boot(probe("a", script))
    address.tell(Raise())
    world.until_running("a", 2)
    address.tell(Note(text="later"))
    world.settle(lambda: script.notes == ["early", "later"])
    world.ask("root", TerminateChild(child="a"))
    assert address.is_out
    world.ask("root", RestartChild(child="a"))

    assert world.ask("a", Note(text="again")) == ("again", 3)
    assert world.outcome("a") is not ExitReason.KILLED
