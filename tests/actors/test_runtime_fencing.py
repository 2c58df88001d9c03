"""Hung actors are replaced; what the abandoned thread does later is void."""

import threading
from typing import Any

import pykka
import pytest

from actors.cell import Cell
from actors.envelope import Envelope
from decisions.supervisor import Strategy
from messages.ids import NS_PER_MS
from messages.lifecycle import ActorState, InjectHang, Ping
from tests.actors.support import End, Note, Probe, Raise, Script, Wait, World, probe


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


def test_one_that_is_not_to_be_replaced_is_told_of_once_and_goes_on_where_it_stood(
    threads: World, script: Script
) -> None:
    threads.solo("sink", Script())
    threads.boot(probe("a", script, hang_after_ms=30, replaces_hung=False), check_every_ms=5)
    threads.address("a").tell(Wait(text="waits for a disk"))
    threads.address("a").tell(Note(text="queued"))
    threads.settle(lambda: bool(threads.happened("hung")))
    threads.pass_time(60)
    assert script.notes == []
    assert threads.cell("a").last_error.startswith("hung on Wait for ")

    script.gate.set()
    threads.settle(lambda: len(script.notes) == 3)

    assert script.notes == ["waits for a disk", "timer of waits for a disk", "queued"]
    assert threads.cell("a").epoch == 1
    (told,) = threads.happened("hung")
    assert told.reason.startswith("hung on Wait for ")
    assert told.reason.endswith("; it is not replaced")


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


def test_a_question_that_is_handed_on_is_answered_by_who_handles_it(
    threads: World, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, others = threads.solo("a", script), list[threading.Thread]()
    take = cell.mailbox.take

    def given_up_with_it(reader: Any) -> Envelope:
        envelope = take(reader)
        if isinstance(envelope.message, Note) and not others:
            others.append(threading.Thread(target=threads.runtime.start, args=(cell,)))
            others[0].start()
            threads.settle(lambda: reader.fenced)
        return envelope

    monkeypatch.setattr(cell.mailbox, "take", given_up_with_it)
    threads.ask("a", Ping())  # from now on it waits where it is given up

    assert threads.ask("a", Note(text="asked")) == ("asked", 2)
    assert script.notes == ["asked"]
    others[0].join()


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
