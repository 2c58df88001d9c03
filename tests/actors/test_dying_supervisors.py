"""A supervisor that dies, hangs or does not come up leaves no child behind, and no mail."""

from typing import Any

import pytest

from messages.lifecycle import ActorState, InjectCrash, InjectHang, Ping
from tests.actors.support import SLOW_RETRY, Note, Probe, Script, World, branch, probe


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
    timed: World, script: Script
) -> None:
    timed.boot(branch("mid", probe("a", script), world=timed), backoff=SLOW_RETRY)

    timed.address("mid").tell(InjectCrash(reason="drill"))
    timed.settle(lambda: timed.cell("mid").state is ActorState.BACKOFF)
    assert timed.address("mid/a").tell(Note(text="patient"))
    timed.until_running("mid/a", 2)
    timed.ask("mid/a", Ping())

    assert script.notes == ["patient"]
    assert timed.dead("mid/a") == {}


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
        start_timeout_ms=2_000,
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
