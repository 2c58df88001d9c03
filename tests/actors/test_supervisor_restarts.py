"""A supervisor restarts, later and later, so often and no more."""

import pytest

from decisions.supervisor import Backoff, Intensity, OnExhausted, Restart, Strategy
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, ExitReason, RestartChild, TerminateChild
from tests.actors.crashes import TWICE, crash
from tests.actors.support import SLOW_RETRY, Note, Raise, Script, World, branch, probe


def test_one_restart_too_many_ends_the_supervisor(world: World, script: Script) -> None:
    world.boot(probe("a", script), probe("b", script), intensity=TWICE)
    crash(world, "a", 2)

    world.address("a").tell(Raise())
    world.until_ended()

    assert world.outcome() is ExitReason.SHUTDOWN
    assert world.root.problem == (
        "gave up on a: 2 restarts in 60 s used up; last: ValueError: ValueError"
    )
    assert world.happened("gave_up")[0].child == "a"
    assert world.outcome("b") is ExitReason.SHUTDOWN


def test_attempts_that_fail_to_start_count(world: World, script: Script) -> None:
    script.starts.extend([None, "ValueError", "ValueError", "ValueError"])
    world.boot(probe("a", script), intensity=TWICE)

    world.address("a").tell(Raise())
    world.until_ended()

    assert world.cell("a").epoch == 3


@pytest.mark.slow
def test_restarts_outside_the_window_are_forgotten(timed: World, script: Script) -> None:
    timed.boot(probe("a", script), intensity=TWICE)

    for _ in range(10):
        crash(timed, "a")
        timed.pass_time(31_000)

    assert timed.cell("a").epoch == 11
    assert timed.root.state is ActorState.RUNNING


def test_the_restarts_of_the_window_are_shown_and_fade(timed: World, script: Script) -> None:
    timed.boot(probe("a", script), intensity=TWICE)

    crash(timed, "a", 2)
    during = timed.cell("a").restarts_in_window
    timed.pass_time(61_000)

    assert (during, timed.cell("a").restarts_in_window) == (2, 0)
    assert timed.cell("a").restart_limit == 2
    assert timed.cell("a").restarts == 2


def test_each_child_may_have_an_intensity_of_its_own(world: World, script: Script) -> None:
    world.boot(
        probe("a", script),
        probe("b", script),
        intensity=TWICE,
        intensity_per_child=True,
        on_exhausted=OnExhausted.HALT,
    )
    crash(world, "a", 2)
    crash(world, "b", 2)

    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").state is ActorState.HALTED)

    assert world.ask("b", Note(text="well")) == ("well", 3)
    assert world.root.state is ActorState.RUNNING
    assert world.dead("a") == {"poison": 3}
    shown = world.cell("a").restarts_in_window
    assert shown == world.cell("a").restarts == 2, "the third attempt was one too many, and none"


def test_escalation_restarts_the_supervisor_by_the_rules_of_the_one_above(
    world: World, script: Script
) -> None:
    world.boot(branch("mid", probe("a", script), world=world, intensity=TWICE), intensity=TWICE)

    for epoch in (1, 2, 3):
        world.settle(lambda epoch=epoch: world.running("mid", epoch))  # type: ignore[misc]  # bound in each round
        world.settle(lambda: world.cell("mid/a").state is ActorState.RUNNING)
        first = world.cell("mid/a").epoch
        crash(world, "mid/a", 2)
        assert world.cell("mid/a").epoch == first + 2
        world.address("mid/a").tell(Raise())
        world.settle(lambda epoch=epoch: world.cell("mid").epoch > epoch or world.root_ended())  # type: ignore[misc]  # bound in each round

    world.until_ended()
    assert world.cell("mid/a").epoch == 9
    assert [e.child for e in world.happened("gave_up")] == ["mid/a"] * 3 + ["mid"]


@pytest.mark.parametrize(
    ("restart", "comes_back"),
    [(Restart.PERMANENT, True), (Restart.TRANSIENT, False), (Restart.TEMPORARY, False)],
)
def test_a_supervisor_that_gave_up_ends_with_shutdown(
    world: World, script: Script, restart: Restart, comes_back: bool
) -> None:
    none = Intensity(max_restarts=0, window_s=60)
    world.boot(branch("mid", probe("a", script), world=world, intensity=none, restart=restart))

    world.address("mid/a").tell(Raise())
    world.settle(lambda: bool(world.happened("gave_up")))
    world.settle(lambda: any(e.child == "mid" for e in world.happened("exited")))

    assert [e.reason for e in world.happened("exited") if e.child == "mid"] == ["shutdown"]
    if comes_back:
        world.until_running("mid/a", 2)
    else:
        world.settle(lambda: world.address("mid/a").is_out)


def test_backoff_doubles_has_half_jitter_and_begins_again_after_a_good_life(
    timed: World, script: Script
) -> None:
    timed.boot(probe("a", script), backoff=Backoff(min_ms=1000, max_ms=8000, reset_after_ms=60_000))
    waits: list[float] = []

    def wait_of_a_crash() -> float:
        epoch, crashed = timed.cell("a").epoch, len(timed.happened("exited"))
        timed.address("a").tell(Raise())
        timed.until_running("a", epoch + 1)
        ended = timed.happened("exited")[crashed].ts_ns
        return (timed.happened("restarted")[-1].ts_ns - ended) / NS_PER_S

    waits = [wait_of_a_crash() for _ in range(6)]
    timed.pass_time(60_001)
    fresh = wait_of_a_crash()

    for wait, ceiling in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert ceiling / 2 <= wait <= ceiling
    assert 0.5 <= fresh <= 1
    assert len(set(waits)) == 6


def test_a_backoff_blocks_nobody(timed: World, script: Script) -> None:
    well = Script()
    timed.boot(probe("a", script), probe("b", well), backoff=SLOW_RETRY)

    timed.address("a").tell(Raise())
    timed.settle(lambda: timed.cell("a").state is ActorState.BACKOFF)

    states = {row.child: row.state for row in timed.children()}
    assert states == {"a": ActorState.BACKOFF, "b": ActorState.RUNNING}
    assert timed.ask("b", Note(text="well")) == ("well", 1)


def test_mail_that_comes_during_a_backoff_is_handled_after_it(timed: World, script: Script) -> None:
    timed.boot(probe("a", script), backoff=SLOW_RETRY)
    timed.address("a").tell(Raise())
    timed.settle(lambda: timed.cell("a").state is ActorState.BACKOFF)

    assert timed.address("a").tell(Note(text="patient"))
    timed.settle(lambda: script.notes == ["patient"])

    assert timed.cell("a").epoch == 2


def test_a_later_sibling_never_starts_before_the_one_it_waits_for(
    timed: World, script: Script
) -> None:
    """`b` waits for its own restart when `a`, which it depends on, fails too."""
    timed.boot(
        *(probe(n, script) for n in "abc"),
        strategy=Strategy.REST_FOR_ONE,
        backoff=Backoff(min_ms=1000, max_ms=1000),
    )
    for late in range(20):
        epoch = timed.cell("a").epoch
        timed.address("b").tell(Raise())
        timed.settle(lambda: timed.cell("b").state is ActorState.BACKOFF)
        timed.pass_time(10 * late)
        script.lives.clear()
        timed.address("a").tell(Raise())
        timed.until_running("a", epoch + 1)
        timed.settle(lambda: timed.cell("c").state is ActorState.RUNNING)
        assert [line for line in script.lives if line.startswith("start")] == [
            "start a",
            "start b",
            "start c",
        ]
        timed.pass_time(2000)


@pytest.mark.parametrize("strategy", [Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL])
def test_who_waits_for_one_that_a_person_takes_out_comes_back_without_it(
    timed: World, script: Script, strategy: Strategy
) -> None:
    timed.boot(
        *(probe(n, script) for n in "abc"),
        strategy=strategy,
        backoff=Backoff(min_ms=1000, max_ms=1000),
    )
    timed.address("a").tell(Raise())
    timed.settle(lambda: timed.cell("a").state is ActorState.BACKOFF)

    timed.ask("root", TerminateChild(child="a"))
    timed.until_running("b", 2)
    timed.until_running("c", 2)

    assert timed.cell("a").epoch == 1
    assert timed.ask("root", RestartChild(child="a")).state is ActorState.RUNNING
