"""What the supervisor does beyond OTP, and the corners of what OTP does."""

from collections.abc import Mapping

import msgspec
import pytest

from actors.actor import Reject
from actors.children import Child, ChildSpec, SupervisorSpec
from actors.spec_guard import (
    BACKOFF_RULES,
    CHILD_RULES,
    INTENSITY_RULES,
    SUPERVISOR_RULES,
    Rule,
    guard,
)
from actors.supervisor import Supervisor
from decisions.supervisor import AutoShutdown, Backoff, Intensity, Restart, Strategy
from messages.errors import ActorUnavailable
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import (
    ActorState,
    ExitReason,
    InjectCrash,
    Ping,
    RestartChild,
    StartChild,
    TerminateChild,
)
from tests.actors.support import SLOW_RETRY, End, Note, Probe, Raise, Script, World, branch, probe


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

    assert started.problem == "c: ValueError: ValueError"
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
    timed: World, script: Script
) -> None:
    timed.boot(probe("a", script), backoff=SLOW_RETRY)
    timed.address("a").tell(Raise())
    timed.settle(lambda: timed.cell("a").state is ActorState.BACKOFF)

    timed.runtime.stop(timed.root, 5 * NS_PER_S)
    timed.pass_time(500)

    assert timed.cell("a").state is ActorState.STOPPED
    assert timed.cell("a").epoch == 1
    assert timed.address("a").tell(Note(text="gone")) is False


def test_terminate_and_restart_by_name(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    world.ask("root", TerminateChild(child="a"))
    assert world.cell("a").state is ActorState.STOPPED
    assert world.outcome("a") is ExitReason.SHUTDOWN
    info = world.ask("root", RestartChild(child="a"))

    assert (info.state, info.epoch) == (ActorState.RUNNING, 2)


def test_a_child_that_was_terminated_in_its_backoff_stays_down(
    timed: World, script: Script
) -> None:
    timed.boot(probe("a", script), backoff=SLOW_RETRY)
    timed.address("a").tell(Raise())
    timed.settle(lambda: timed.cell("a").state is ActorState.BACKOFF)

    timed.ask("root", TerminateChild(child="a"))
    timed.pass_time(500)

    assert (timed.cell("a").state, timed.cell("a").epoch) == (ActorState.STOPPED, 1)


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
    child = Child(A, world.cell("a"), look_ns=1)

    assert (child.live, child.waiting, child.attempt, child.name) == (False, False, 0, "a")


def test_a_transient_child_that_ended_well_is_out_for_good(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TRANSIENT))

    world.address("a").tell(End())
    world.settle(lambda: world.address("a").is_out)

    assert world.names() == ["a"]
    assert world.cell("a").epoch == 1


@pytest.mark.parametrize(
    ("spec", "rules"),
    [
        (ChildSpec, CHILD_RULES),
        (SupervisorSpec, SUPERVISOR_RULES),
        (Intensity, INTENSITY_RULES),
        (Backoff, BACKOFF_RULES),
    ],
)
def test_every_field_of_a_specification_is_looked_at(
    spec: type[msgspec.Struct], rules: Mapping[str, Rule]
) -> None:
    assert list(rules) == list(spec.__struct_fields__)


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_dynamic_child_is_not_added_under_a_name_that_is_no_name(
    world: World, script: Script, name: str
) -> None:
    world.boot(template=probe("any", script), strategy=Strategy.SIMPLE_ONE_FOR_ONE)

    with pytest.raises(Reject, match="the name of a child must be a text without /"):
        world.ask("root", StartChild(child=name))

    assert world.names() == []
