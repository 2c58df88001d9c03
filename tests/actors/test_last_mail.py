"""What waits for a child that is down when everything ends: one that drains handles it first."""

import pytest

from decisions.supervisor import Intensity, OnExhausted, Restart, Strategy
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import ActorState, ExitReason, InjectHang
from tests.actors.support import (
    SLOW_RETRY,
    Note,
    Probe,
    Raise,
    Refuse,
    Script,
    World,
    branch,
    probe,
)

LIMIT_MS = 1_000


def crash_with_mail(world: World, path: str) -> None:
    """Crash a child, and send it what it can only handle after its restart."""
    world.address(path).tell(Raise())
    world.settle(lambda: world.cell(path).state is ActorState.BACKOFF)
    for n in range(3):
        world.address(path).tell(Note(text=str(n)))


def crash_while_it_drains(world: World, path: str) -> None:
    """Queue what brings a child down before the order to stop that comes behind it."""
    world.address(path).tell(Note(text="before"))
    world.address(path).tell(Raise())
    world.address(path).tell(Note(text="after"))


def stop(world: World) -> None:
    world.runtime.stop(world.root, 60 * NS_PER_S)


def test_a_draining_child_that_waits_for_its_restart_is_started_for_what_waits_for_it(
    timed: World, script: Script
) -> None:
    timed.boot(probe("a", script, drain=True), backoff=SLOW_RETRY)
    crash_with_mail(timed, "a")

    stop(timed)

    assert script.notes == ["0", "1", "2"]
    assert script.lives == ["start a", "start a", "stop a"]
    assert timed.state("a") is ActorState.STOPPED
    assert timed.dead("a") == {"poison": 1}


def test_one_that_does_not_drain_ends_at_once_as_in_otp(timed: World, script: Script) -> None:
    timed.boot(probe("a", script), backoff=SLOW_RETRY)
    crash_with_mail(timed, "a")

    stop(timed)

    assert script.lives == ["start a"]
    assert timed.dead("a") == {"poison": 1, "stopped": 3}


def test_a_child_that_fails_while_it_drains_is_started_for_the_rest(
    world: World, script: Script
) -> None:
    world.boot(probe("a", script, drain=True))
    crash_while_it_drains(world, "a")

    stop(world)

    assert script.notes == ["before", "after"]
    assert world.state("a") is ActorState.STOPPED
    assert world.outcome("a") is ExitReason.SHUTDOWN


def test_one_that_fails_in_its_last_word_is_started_to_say_it(world: World, script: Script) -> None:
    world.boot(probe("a", script, drain=True))
    script.ends.append("ValueError")

    stop(world)

    assert script.lives == ["start a", "start a", "stop a"]
    assert world.outcome("a") is ExitReason.SHUTDOWN


def test_it_goes_through_all_floors_and_keeps_the_order_of_a_stop(
    timed: World, script: Script
) -> None:
    """What a later child decides at its end still reaches the one before it."""
    inner = branch("b", probe("x", script, drain=True), world=timed, backoff=SLOW_RETRY)
    timed.boot(probe("a", script, drain=True), inner, backoff=SLOW_RETRY)
    crash_with_mail(timed, "a")
    crash_with_mail(timed, "b/x")

    stop(timed)

    assert script.lives[2:] == ["start b/x", "stop b/x", "start a", "stop a"]
    assert script.notes == ["0", "1", "2"] * 2


def test_a_branch_that_comes_back_leaves_the_mail_to_its_next_life(
    timed: World, script: Script
) -> None:
    inner = branch("b", probe("x", script, drain=True), world=timed, backoff=SLOW_RETRY)
    timed.boot(probe("a", Script()), inner, strategy=Strategy.REST_FOR_ONE, backoff=SLOW_RETRY)
    crash_with_mail(timed, "b/x")

    timed.address("a").tell(Raise())
    timed.settle(lambda: timed.state("a") is ActorState.BACKOFF)

    assert script.lives == ["start b/x"]
    timed.settle(lambda: script.notes == ["0", "1", "2"])
    assert script.lives == ["start b/x", "start b/x"]


@pytest.mark.parametrize("fails", ["its start", "its mail"])
def test_what_fails_again_is_halted_and_says_that_it_is_not_done(
    timed: World, script: Script, fails: str
) -> None:
    timed.boot(probe("a", script, drain=True), backoff=SLOW_RETRY)
    crash_with_mail(timed, "a")
    if fails == "its start":
        script.always_starts = "ValueError"
    else:
        timed.address("a").tell(Raise())

    stop(timed)

    assert timed.state("a") is ActorState.HALTED
    assert timed.cell("a").problem == (
        "a failed at the end, and what waited for it is not done; "
        "the next start settles what is open: ValueError: ValueError"
    )
    assert [event.child for event in timed.happened("halted")] == ["a"]
    assert len(script.lives) <= 2


def test_all_of_it_has_no_more_time_than_a_stop(steps: World, script: Script) -> None:
    spec = probe("a", script, drain=True, shutdown_ms=LIMIT_MS, start_timeout_ms=60_000)
    steps.boot(spec, backoff=SLOW_RETRY)
    crash_with_mail(steps, "a")
    script.always_starts = "hang"
    begun_ns = steps.runtime.clock.monotonic_ns()

    stop(steps)

    assert steps.runtime.clock.monotonic_ns() - begun_ns == LIMIT_MS * NS_PER_MS
    assert steps.state("a") is ActorState.HALTED
    assert "did not start within 1 s" in steps.cell("a").problem


def test_one_that_overruns_the_time_for_its_stop_says_that_it_is_not_done(
    timed: World, script: Script
) -> None:
    """What it did after that, if anything, nobody was told of."""
    timed.boot(probe("a", script, drain=True, shutdown_ms=50))
    timed.address("a").tell(InjectHang(reason="sleeps"))
    timed.settle(lambda: timed.cell("a").handling is not None)
    timed.address("a").tell(Note(text="never handled"))

    stop(timed)

    assert timed.outcome("a") is ExitReason.KILLED
    assert timed.state("a") is ActorState.HALTED
    assert timed.cell("a").problem == (
        "a failed at the end, and what waited for it is not done; "
        "the next start settles what is open: it did not end in time"
    )
    assert [event.child for event in timed.happened("halted")] == ["a"]
    assert script.notes == []


def test_one_that_is_killed_at_once_is_not_started_again(timed: World, script: Script) -> None:
    timed.boot(probe("a", script, drain=True, shutdown_ms=0), backoff=SLOW_RETRY)
    crash_with_mail(timed, "a")

    stop(timed)

    assert script.lives == ["start a"]
    assert timed.state("a") is ActorState.STOPPED


def test_a_failure_at_the_end_counts_as_any(world: World, script: Script) -> None:
    never = Intensity(max_restarts=0, window_s=60)
    world.boot(probe("a", script, drain=True), intensity=never, on_exhausted=OnExhausted.HALT)
    crash_while_it_drains(world, "a")

    stop(world)

    assert script.notes == ["before"]
    assert world.state("a") is ActorState.HALTED
    assert "0 restarts in 60 s used up; last: ValueError" in world.cell("a").problem


def test_an_error_that_no_restart_mends_is_not_tried_again_at_the_end(
    world: World, script: Script
) -> None:
    settings = {"fatal_errors": frozenset({"ValueError"}), "on_exhausted": OnExhausted.HALT}
    world.boot(probe("a", script, drain=True), **settings)
    crash_while_it_drains(world, "a")

    stop(world)

    assert script.notes == ["before"]
    assert world.state("a") is ActorState.HALTED
    assert "(a restart cannot mend it)" in world.cell("a").problem


def test_a_child_that_never_comes_back_does_not_come_back_for_its_mail(
    world: World, script: Script
) -> None:
    world.boot(probe("a", script, drain=True, restart=Restart.TEMPORARY))
    crash_while_it_drains(world, "a")

    stop(world)

    assert script.notes == ["before"]
    assert world.state("a") is ActorState.STOPPED


def test_one_that_ends_in_order_is_not_started_again_for_what_comes_later(
    world: World, script: Script
) -> None:
    class Speaks(Probe):
        def stopping(self) -> None:
            self.ctx.tell(self.ctx.runtime.address("b"), Refuse())

    world.boot(probe("a", Script(), actor_class=Speaks), probe("b", script, drain=True))

    stop(world)

    assert script.lives == ["start b", "stop b"]
