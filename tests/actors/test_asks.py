"""An ask is answered by whoever can: in time, at once, or with the ring that it would close."""

import threading

import pytest

from messages.errors import ActorCrashed, ActorUnavailable, AskTimeout, WouldDeadlock
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import ExitReason, InjectHang, Ping, RestartChild, TerminateChild
from tests.actors.support import Note, Pass, Raise, Script, Wait, World, probe


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
