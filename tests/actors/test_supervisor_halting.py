"""A branch that cannot be mended is halted until a person revives it; who is stuck is noticed."""

from typing import Any

import pytest

from actors.actor import Reject
from actors.clock import VirtualClock
from decisions.supervisor import Intensity, OnExhausted, Strategy
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, InjectHang, RestartChild
from tests.actors.crashes import TWICE, crash
from tests.actors.support import Note, Probe, Raise, Script, World, branch, probe


def test_an_error_that_no_restart_can_mend_halts_at_once(world: World, script: Script) -> None:
    halted: list[tuple[str, str]] = []
    world.boot(
        probe("a", script),
        probe("b", script),
        fatal_errors=frozenset({"ValueError"}),
        on_exhausted=OnExhausted.HALT,
        on_halt=lambda child, why: halted.append((child, why)),
    )

    world.address("a").tell(Raise())
    world.settle(lambda: bool(halted))

    why = "ValueError: ValueError (a restart cannot mend it)"
    assert halted == [("a", why)]
    assert [(c.state, c.problem) for c in world.children()] == [
        (ActorState.HALTED, why),
        (ActorState.HALTED, "halted with it"),
    ]
    assert world.root.state is ActorState.HALTED
    assert world.cell("a").epoch == 1


def test_another_error_is_restarted_all_the_same(world: World, script: Script) -> None:
    world.boot(probe("a", script), fatal_errors=frozenset({"KeyError"}))

    crash(world, "a")

    assert world.cell("a").epoch == 2


def test_a_fatal_error_at_a_restart_halts_too(world: World, script: Script) -> None:
    script.starts.extend([None, "SystemExit"])
    world.boot(
        probe("a", script),
        fatal_errors=frozenset({"SystemExit"}),
        on_exhausted=OnExhausted.HALT,
    )

    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").state is ActorState.HALTED)

    assert world.cell("a").epoch == 2


def test_an_error_that_time_alone_cures_is_tried_again_for_ever_and_not_counted(
    world: World, script: Script
) -> None:
    script.starts.extend([None, *["SystemExit"] * 9, None])
    world.boot(
        probe("a", script),
        passing_errors=frozenset({"SystemExit"}),
        intensity=Intensity(max_restarts=1, window_s=60),
        on_exhausted=OnExhausted.HALT,
    )

    world.address("a").tell(Raise())
    cell = world.cell("a")
    world.settle(lambda: cell.epoch == 11 and cell.state is ActorState.RUNNING)

    assert world.cell("a").restarts_in_window == 1


def test_a_halted_branch_buries_its_mail_and_a_person_revives_it(
    world: World, script: Script
) -> None:
    none = Intensity(max_restarts=0, window_s=60)
    world.boot(
        probe("a", script),
        branch("mid", probe("b", script), world=world),
        strategy=Strategy.REST_FOR_ONE,
        intensity=none,
        on_exhausted=OnExhausted.HALT,
    )
    world.address("a").tell(Raise())
    world.settle(lambda: world.root.state is ActorState.HALTED)

    assert world.address("a").is_out
    assert world.address("mid/b").is_out
    assert world.address("a").tell(Note(text="no")) is False
    assert world.address("mid/b").tell(Note(text="no")) is False

    assert world.ask("root", RestartChild(child="a")).state is ActorState.RUNNING
    assert world.state("root") is ActorState.HALTED
    assert world.ask("root", RestartChild(child="mid")).state is ActorState.RUNNING
    assert world.state("root") is ActorState.RUNNING
    assert world.ask("a", Note(text="back")) == ("back", 2)
    assert world.ask("mid/b", Note(text="back")) == ("back", 2)


def test_a_revived_child_has_its_restarts_back(world: World, script: Script) -> None:
    world.boot(probe("a", script), intensity=TWICE, on_exhausted=OnExhausted.HALT)
    crash(world, "a", 2)
    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").state is ActorState.HALTED)

    world.ask("root", RestartChild(child="a"))

    crash(world, "a", 2)
    assert world.cell("a").state is ActorState.RUNNING


def test_a_child_that_does_not_come_up_when_revived_stays_halted(
    world: World, script: Script
) -> None:
    none = Intensity(max_restarts=0, window_s=60)
    world.boot(probe("a", script), intensity=none, on_exhausted=OnExhausted.HALT)
    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").state is ActorState.HALTED)
    script.starts.append("ValueError")

    with pytest.raises(Reject, match="a did not start: ValueError: ValueError"):
        world.ask("root", RestartChild(child="a"))

    assert world.cell("a").state is ActorState.HALTED
    assert world.address("a").is_out
    assert world.ask("root", RestartChild(child="a")).state is ActorState.RUNNING


def test_a_halted_child_stays_so_when_its_supervisor_begins_anew(
    world: World, script: Script
) -> None:
    one = Intensity(max_restarts=1, window_s=60)
    world.boot(
        probe("before", script),
        branch(
            "mid",
            probe("bad", script),
            probe("good", script),
            world=world,
            intensity=one,
            intensity_per_child=True,
            on_exhausted=OnExhausted.HALT,
        ),
        strategy=Strategy.REST_FOR_ONE,
    )
    crash(world, "mid/bad")
    world.address("mid/bad").tell(Raise())
    world.settle(lambda: world.state("mid/bad") is ActorState.HALTED)
    why = world.cell("mid/bad").problem

    crash(world, "before")
    world.until_running("mid/good", 2)

    assert "bad" in world.names("mid")  # an answer: it is up, and all that it starts
    assert (world.state("mid/bad"), world.cell("mid/bad").problem) == (ActorState.HALTED, why)
    assert world.cell("mid/bad").epoch == 2
    assert world.address("mid/bad").is_out
    assert world.state("mid") is ActorState.RUNNING
    assert world.ask("mid", RestartChild(child="bad")).state is ActorState.RUNNING


def test_a_branch_that_is_halted_stays_so_when_its_supervisor_begins_anew(
    world: World, script: Script
) -> None:
    none = Intensity(max_restarts=0, window_s=60)
    world.boot(
        probe("before", script),
        branch(
            "mid",
            probe("a", script),
            probe("b", script),
            world=world,
            intensity=none,
            on_exhausted=OnExhausted.HALT,
        ),
        strategy=Strategy.REST_FOR_ONE,
    )
    world.address("mid/b").tell(Raise())
    world.settle(lambda: world.state("mid") is ActorState.HALTED)
    why = world.cell("mid").problem

    crash(world, "before")
    world.settle(lambda: world.cell("mid").epoch == 2)
    world.settle(lambda: world.state("mid") is ActorState.HALTED)

    assert world.cell("mid").problem == why
    assert [child.state for child in world.children("mid")] == [ActorState.HALTED] * 2
    assert [world.cell(path).epoch for path in ("mid/a", "mid/b")] == [1, 1]


def test_who_is_halted_does_not_come_back_with_a_sibling_that_a_person_revived(
    world: World, script: Script
) -> None:
    world.boot(
        probe("a", script),
        probe("b", script),
        strategy=Strategy.REST_FOR_ONE,
        intensity=TWICE,
        on_exhausted=OnExhausted.HALT,
    )
    crash(world, "a", 2)
    world.address("a").tell(Raise())
    world.settle(lambda: world.root.state is ActorState.HALTED)
    world.ask("root", RestartChild(child="a"))
    epoch = world.cell("b").epoch

    crash(world, "a")

    assert world.names() == ["a", "b"]  # an answer: it has done what the crash asked for
    assert (world.state("b"), world.cell("b").epoch) == (ActorState.HALTED, epoch)


def test_missing_progress_is_told_once_until_there_is_some(timed: World, script: Script) -> None:
    class Works(Probe):
        def receive(self, message: Any) -> Any:
            self.ctx.progress()

    timed.boot(probe("a", script, actor_class=Works, progress_ms=1000), check_every_ms=100)

    timed.pass_time(5_000)
    assert len(timed.happened("no_progress")) == 1
    timed.address("a").tell(Note(text="work"))
    timed.pass_time(900)
    assert len(timed.happened("no_progress")) == 1
    timed.pass_time(5_000)
    assert len(timed.happened("no_progress")) == 2
    assert timed.cell("a").epoch == 1


def test_a_restart_begins_a_new_deadline(timed: World, script: Script) -> None:
    timed.boot(probe("a", script, progress_ms=1000), check_every_ms=100)
    timed.pass_time(900)

    crash(timed, "a")
    timed.pass_time(900)

    assert timed.happened("no_progress") == []


def test_a_slow_message_within_the_limit_is_not_a_hang(threads: World, script: Script) -> None:
    threads.boot(probe("a", script, hang_after_ms=5_000), check_every_ms=5)
    script.gate.set()
    threads.pass_time(60)

    assert threads.happened("hung") == []


def test_while_the_process_was_stopped_nobody_hung(timed: World, script: Script) -> None:
    """Time leaps over all of a laptop's sleep, with a message in hand."""
    timed.boot(probe("a", script, hang_after_ms=5_000), check_every_ms=500)
    timed.address("a").tell(InjectHang(reason="a message that takes its time"))
    timed.rest()
    clock = timed.runtime.clock
    assert isinstance(clock, VirtualClock)
    clock.advance_to(clock.now_ns + 3_600 * NS_PER_S)
    timed.pass_time(3_500)
    assert timed.happened("hung") == []

    timed.pass_time(1_500)

    assert len(timed.happened("hung")) == 1
    assert "hung on InjectHang for 5." in timed.cell("a").last_error


def test_a_hung_child_takes_down_those_that_depend_on_it(world: World, script: Script) -> None:
    world.boot(
        probe("a", script),
        probe("b", Script(), hang_after_ms=50),
        probe("c", script),
        strategy=Strategy.REST_FOR_ONE,
    )

    world.address("b").tell(InjectHang(reason="drill"))
    world.until_running("c", 2)

    assert [world.cell(n).epoch for n in "abc"] == [1, 2, 2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_without_a_word_is_noticed(threads: World, script: Script) -> None:
    """Nothing in the loop may raise outside a hook; if it does, it is a crash all the same."""
    threads.boot(probe("a", script), check_every_ms=10)
    life = threads.cell("a").life
    assert life is not None
    inbox = life.actor_ref.actor_inbox
    caught: list[Any] = []

    def broken() -> Any:
        caught.append(life.thread)
        raise SystemExit

    inbox.get = broken
    threads.ask("a", Note(text="last"))
    threads.until_running("a", 2)

    assert "thread ended" in threads.happened("exited")[0].reason
