"""What the supervisor does beyond OTP, and the corners of what OTP does."""

from typing import Any

import pytest

from actors.actor import Reject
from actors.children import Child, ChildSpec, SupervisorSpec
from actors.parent import guard
from actors.supervisor import Supervisor
from decisions.supervisor import (
    AutoShutdown,
    Backoff,
    Intensity,
    OnExhausted,
    Restart,
    Strategy,
)
from messages.errors import ActorUnavailable
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import (
    ActorState,
    ExitReason,
    InjectCrash,
    InjectHang,
    Ping,
    RestartChild,
    StartChild,
    TerminateChild,
)
from tests.actors.support import (
    SLOW_RETRY,
    End,
    Note,
    Probe,
    Raise,
    Script,
    World,
    branch,
    probe,
)

TWICE = Intensity(max_restarts=2, window_s=60)


def crash(world: World, path: str, times: int = 1) -> None:
    """Crash a child and wait each time until it runs again."""
    for _ in range(times):
        epoch = world.cell(path).epoch
        world.address(path).tell(Raise())
        world.until_running(path, epoch + 1)


# ---------------------------------------------------------------- starting and stopping


def test_children_start_top_to_bottom_and_stop_bottom_to_top(world: World, script: Script) -> None:
    world.boot(*(probe(n, script) for n in "abc"))

    world.runtime.stop(world.root, 5 * NS_PER_S)

    assert script.lives == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert world.outcome() is ExitReason.SHUTDOWN


def test_those_already_up_are_stopped_in_reverse_when_one_fails_to_start(
    world: World, script: Script
) -> None:
    broken = Script()
    broken.always_starts = "ValueError"

    started = world.boot(
        probe("a", script), probe("b", script), probe("c", broken), probe("d", script)
    )

    assert started.problem == "StartFailed: c: ValueError: ValueError"
    assert script.lives == ["start a", "start b", "stop b", "stop a"]
    with pytest.raises(ActorUnavailable):
        world.ask("a", Ping())


def test_a_tolerant_start_tries_the_broken_one_again(world: World, script: Script) -> None:
    broken = Script()
    broken.starts.extend(["ValueError", "ValueError"])

    started = world.boot(probe("a", script), probe("b", broken), tolerant_start=True)
    world.until_running("b", 3)

    assert started.problem == ""
    assert world.cell("a").epoch == 1


def test_each_child_is_stopped_within_its_own_limit(threads: World, script: Script) -> None:
    slow = Script()
    slow.ends.append("hang")
    threads.boot(probe("a", script), probe("b", slow, shutdown_ms=20), probe("c", script))

    threads.runtime.stop(threads.root, 5 * NS_PER_S)

    assert script.lives == ["start a", "start c", "stop c", "stop a"]
    assert threads.outcome("a") is ExitReason.SHUTDOWN
    assert threads.outcome("b") is ExitReason.KILLED


def test_a_draining_child_first_handles_what_is_queued(world: World, script: Script) -> None:
    other = Script()
    world.boot(probe("a", script, drain=True), probe("b", other))
    for n in range(20):
        world.address("a").tell(Note(text=str(n)))

    world.runtime.stop(world.root, 5 * NS_PER_S)

    assert script.notes == [str(n) for n in range(20)]


def test_a_supervisor_may_wait_for_ever_for_a_supervisor_and_five_seconds_for_a_worker() -> None:
    assert ChildSpec(name="x", actor_class=Probe).shutdown_ns == 5 * NS_PER_S
    assert ChildSpec(name="x", actor_class=Supervisor).shutdown_ns is None
    assert ChildSpec(name="x", actor_class=Supervisor, shutdown_ms=7).shutdown_ns == 7 * NS_PER_MS
    assert ChildSpec(name="x", actor_class=Probe, shutdown_ms=0).shutdown_ns == 0


def test_a_supervisor_that_stops_while_a_child_waits_for_its_restart(
    world: World, script: Script
) -> None:
    world.boot(probe("a", script), backoff=SLOW_RETRY)
    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").state is ActorState.BACKOFF)

    world.runtime.stop(world.root, 5 * NS_PER_S)
    world.pass_time(500)

    assert world.cell("a").state is ActorState.STOPPED
    assert world.cell("a").epoch == 1
    assert world.address("a").tell(Note(text="gone")) is False


# ---------------------------------------------------------------- intensity


def test_one_restart_too_many_ends_the_supervisor(world: World, script: Script) -> None:
    world.boot(probe("a", script), probe("b", script), intensity=TWICE)
    crash(world, "a", 2)

    world.address("a").tell(Raise())
    world.until_ended()

    assert world.outcome() is ExitReason.SHUTDOWN
    assert world.root.problem == "2 restarts in 60 s used up; last: ValueError: ValueError"
    assert world.happened("gave_up")[0].child == "a"
    assert world.outcome("b") is ExitReason.SHUTDOWN


def test_attempts_that_fail_to_start_count(world: World, script: Script) -> None:
    script.starts.extend([None, "ValueError", "ValueError", "ValueError"])
    world.boot(probe("a", script), intensity=TWICE)

    world.address("a").tell(Raise())
    world.until_ended()

    assert world.cell("a").epoch == 3


@pytest.mark.slow
def test_restarts_outside_the_window_are_forgotten(steps: World, script: Script) -> None:
    steps.boot(probe("a", script), intensity=TWICE)

    for _ in range(10):
        crash(steps, "a")
        steps.pass_time(31_000)

    assert steps.cell("a").epoch == 11
    assert steps.root.state is ActorState.RUNNING


def test_the_restarts_of_the_window_are_shown_and_fade(steps: World, script: Script) -> None:
    steps.boot(probe("a", script), intensity=TWICE)

    crash(steps, "a", 2)
    during = steps.cell("a").restarts_in_window
    steps.pass_time(61_000)

    assert (during, steps.cell("a").restarts_in_window) == (2, 0)
    assert steps.cell("a").restart_limit == 2
    assert steps.cell("a").restarts == 2


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


def test_escalation_restarts_the_supervisor_by_the_rules_of_the_one_above(
    world: World, script: Script
) -> None:
    world.boot(branch("mid", probe("a", script), world=world, intensity=TWICE), intensity=TWICE)

    for epoch in (1, 2, 3):
        world.settle(lambda epoch=epoch: world.running("mid", epoch))  # type: ignore[misc]
        world.settle(lambda: world.cell("mid/a").state is ActorState.RUNNING)
        first = world.cell("mid/a").epoch
        crash(world, "mid/a", 2)
        assert world.cell("mid/a").epoch == first + 2
        world.address("mid/a").tell(Raise())
        world.settle(lambda epoch=epoch: world.cell("mid").epoch > epoch or world.root_ended())  # type: ignore[misc]

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


# ---------------------------------------------------------------- backoff


def test_backoff_doubles_has_half_jitter_and_begins_again_after_a_good_life(
    steps: World, script: Script
) -> None:
    steps.boot(probe("a", script), backoff=Backoff(min_ms=1000, max_ms=8000, reset_after_ms=60_000))
    waits: list[float] = []

    def wait_of_a_crash() -> float:
        epoch, crashed = steps.cell("a").epoch, len(steps.happened("exited"))
        steps.address("a").tell(Raise())
        steps.until_running("a", epoch + 1)
        ended = steps.happened("exited")[crashed].ts_ns
        return (steps.happened("restarted")[-1].ts_ns - ended) / NS_PER_S

    waits = [wait_of_a_crash() for _ in range(6)]
    steps.pass_time(60_001)
    fresh = wait_of_a_crash()

    for wait, ceiling in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert ceiling / 2 <= wait <= ceiling
    assert 0.5 <= fresh <= 1
    assert len(set(waits)) == 6


def test_a_backoff_blocks_nobody(world: World, script: Script) -> None:
    well = Script()
    world.boot(probe("a", script), probe("b", well), backoff=SLOW_RETRY)

    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").state is ActorState.BACKOFF)

    states = {row.child: row.state for row in world.children()}
    assert states == {"a": ActorState.BACKOFF, "b": ActorState.RUNNING}
    assert world.ask("b", Note(text="well")) == ("well", 1)


def test_mail_that_comes_during_a_backoff_is_handled_after_it(world: World, script: Script) -> None:
    world.boot(probe("a", script), backoff=SLOW_RETRY)
    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").state is ActorState.BACKOFF)

    assert world.address("a").tell(Note(text="patient"))
    world.settle(lambda: script.notes == ["patient"])

    assert world.cell("a").epoch == 2


def test_a_later_sibling_never_starts_before_the_one_it_waits_for(
    steps: World, script: Script
) -> None:
    """`b` waits for its own restart when `a`, which it depends on, fails too."""
    steps.boot(
        *(probe(n, script) for n in "abc"),
        strategy=Strategy.REST_FOR_ONE,
        backoff=Backoff(min_ms=1000, max_ms=1000),
    )
    for late in range(20):
        epoch = steps.cell("a").epoch
        steps.address("b").tell(Raise())
        steps.settle(lambda: steps.cell("b").state is ActorState.BACKOFF)
        steps.pass_time(10 * late)
        script.lives.clear()
        steps.address("a").tell(Raise())
        steps.until_running("a", epoch + 1)
        steps.settle(lambda: steps.cell("c").state is ActorState.RUNNING)
        assert [line for line in script.lives if line.startswith("start")] == [
            "start a",
            "start b",
            "start c",
        ]
        steps.pass_time(2000)


# ---------------------------------------------------------------- fatal errors and halting


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


# ---------------------------------------------------------------- looking after


def test_missing_progress_is_told_once_until_there_is_some(steps: World, script: Script) -> None:
    class Works(Probe):
        def receive(self, message: Any) -> Any:
            self.ctx.progress()

    steps.boot(probe("a", script, actor_class=Works, progress_ms=1000), check_every_ms=100)

    steps.pass_time(5_000)
    assert len(steps.happened("no_progress")) == 1
    steps.address("a").tell(Note(text="work"))
    steps.pass_time(900)
    assert len(steps.happened("no_progress")) == 1
    steps.pass_time(5_000)
    assert len(steps.happened("no_progress")) == 2
    assert steps.cell("a").epoch == 1


def test_a_restart_begins_a_new_deadline(steps: World, script: Script) -> None:
    steps.boot(probe("a", script, progress_ms=1000), check_every_ms=100)
    steps.pass_time(900)

    crash(steps, "a")
    steps.pass_time(900)

    assert steps.happened("no_progress") == []


def test_a_slow_message_within_the_limit_is_not_a_hang(threads: World, script: Script) -> None:
    threads.boot(probe("a", script, hang_after_ms=5_000), check_every_ms=5)
    script.gate.set()
    threads.pass_time(60)

    assert threads.happened("hung") == []


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


# ---------------------------------------------------------------- an operator's hand


def test_terminate_and_restart_by_name(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    world.ask("root", TerminateChild(child="a"))
    assert world.cell("a").state is ActorState.STOPPED
    assert world.outcome("a") is ExitReason.SHUTDOWN
    info = world.ask("root", RestartChild(child="a"))

    assert (info.state, info.epoch) == (ActorState.RUNNING, 2)


def test_a_child_that_was_terminated_in_its_backoff_stays_down(
    world: World, script: Script
) -> None:
    world.boot(probe("a", script), backoff=SLOW_RETRY)
    world.address("a").tell(Raise())
    world.settle(lambda: world.cell("a").state is ActorState.BACKOFF)

    world.ask("root", TerminateChild(child="a"))
    world.pass_time(500)

    assert (world.cell("a").state, world.cell("a").epoch) == (ActorState.STOPPED, 1)


def test_what_a_supervisor_cannot_do_it_refuses_and_lives_on(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    for wrong in (
        RestartChild(child="a"),
        RestartChild(child="nobody"),
        TerminateChild(child="nobody"),
        StartChild(child="nobody"),
    ):
        with pytest.raises(Reject):
            world.ask("root", wrong)

    assert world.root.epoch == 1


def test_a_told_request_that_is_wrong_kills_nobody(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    world.address("root").tell(TerminateChild(child="nobody"))
    world.settle(lambda: world.dead("root") == {"rejected": 1})

    assert world.ask("a", Note(text="well")) == ("well", 1)


def test_a_dynamic_child_that_fails_to_start_leaves_nothing(world: World, script: Script) -> None:
    spec = probe("x", script)
    world.boot(strategy=Strategy.SIMPLE_ONE_FOR_ONE, template=spec)
    script.starts.append("ValueError")

    with pytest.raises(Reject, match="one did not start: ValueError"):
        world.ask("root", StartChild(child="one"))

    assert world.names() == []
    assert world.address("one").tell(Note(text="x")) is False


def test_the_children_of_a_dynamic_supervisor_are_lost_with_it(
    world: World, script: Script
) -> None:
    pool = branch(
        "pool",
        world=world,
        strategy=Strategy.SIMPLE_ONE_FOR_ONE,
        template=probe("x", script),
    )
    world.boot(pool)
    world.ask("pool", StartChild(child="one"))

    world.address("pool").tell(InjectCrash(reason="drill"))
    world.until_running("pool", 2)

    assert world.names("pool") == []
    assert world.address("pool/one").tell(Note(text="x")) is False


# ---------------------------------------------------------------- specs that contradict


A = probe("a", Script())


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (SupervisorSpec(children=(A, A)), "same name"),
        (
            SupervisorSpec(children=(probe("a", Script(), significant=True),)),
            "significant but auto_shutdown is never",
        ),
        (
            SupervisorSpec(
                children=(probe("a", Script(), significant=True),),
                auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
            ),
            "permanent and cannot be significant",
        ),
        (SupervisorSpec(template=A), "only with it"),
        (SupervisorSpec(strategy=Strategy.SIMPLE_ONE_FOR_ONE), "only with it"),
        (
            SupervisorSpec(strategy=Strategy.SIMPLE_ONE_FOR_ONE, template=A, children=(A,)),
            "starts without children",
        ),
        (
            SupervisorSpec(strategy=Strategy.REST_FOR_ONE, intensity_per_child=True),
            "children are apart",
        ),
    ],
)
def test_a_supervisor_that_contradicts_itself_is_refused(
    world: World, spec: SupervisorSpec, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        guard(spec)

    started = world.runtime.start(world.runtime.populate("root", Supervisor, {"spec": spec}))

    assert problem in started.problem


def test_a_child_remembers_nothing_at_first(world: World) -> None:
    child = Child(A, world.cell("a"))

    assert (child.live, child.waiting, child.attempt, child.name) == (False, False, 0, "a")


def test_a_transient_child_that_ended_well_is_out_for_good(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TRANSIENT))

    world.address("a").tell(End())
    world.settle(lambda: world.address("a").is_out)

    assert world.names() == ["a"]
    assert world.cell("a").epoch == 1
