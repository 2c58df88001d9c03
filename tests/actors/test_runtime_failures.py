"""Every way to die, on both runtimes: seen by the supervisor, felt by nobody else."""

import pytest

from actors.actor import Reject
from actors.thread_runtime import ThreadRuntime
from decisions.supervisor import Restart
from messages.errors import ActorCrashed
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, Exit, ExitReason, InjectCrash, InjectHang, Ping
from tests.actors.support import (
    ERRORS,
    SLOW_RETRY,
    End,
    Note,
    Probe,
    Raise,
    Refuse,
    Script,
    World,
    probe,
)

KINDS = sorted(ERRORS)


@pytest.fixture
def bystander(world: World) -> Script:
    """Another actor, without a supervisor, that must not notice anything."""
    other = Script()
    world.solo("bystander", other)
    return other


def assert_untouched(world: World) -> None:
    assert world.ask("bystander", Note(text="still here")) == ("still here", 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("bystander")
def test_a_failing_tell_is_a_crash_and_the_next_incarnation_serves(
    world: World, script: Script, kind: str
) -> None:
    world.boot(probe("a", script))

    world.address("a").tell(Raise(kind=kind))
    world.until_running("a", 2)

    assert world.ask("a", Note(text="after")) == ("after", 2)
    assert world.happened("exited")[0].reason == f"crashed: {kind}: {kind}"
    assert_untouched(world)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("bystander")
def test_a_failing_ask_tells_the_asker_and_is_a_crash_too(
    world: World, script: Script, kind: str
) -> None:
    world.boot(probe("a", script))

    with pytest.raises(ActorCrashed, match=f"a: {kind}: {kind}") as caught:
        world.ask("a", Raise(kind=kind))

    assert type(caught.value.__cause__) is ERRORS[kind]
    world.until_running("a", 2)
    assert_untouched(world)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("bystander")
def test_a_failing_start_at_boot_is_the_answer_of_start(
    world: World, script: Script, kind: str
) -> None:
    script.starts.append(kind)

    started = world.boot(probe("a", script))

    assert started.outcome is ExitReason.INIT_FAILED
    assert f"a: {kind}: {kind}" in started.problem
    assert_untouched(world)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("bystander")
def test_a_failing_restart_is_tried_again(world: World, script: Script, kind: str) -> None:
    script.starts.extend([None, kind, kind])
    world.boot(probe("a", script))

    world.address("a").tell(Raise())
    world.until_running("a", 4)

    reasons = [e.reason for e in world.happened("exited")]
    assert reasons == ["crashed: ValueError: ValueError"] + [f"init_failed: {kind}: {kind}"] * 2
    assert_untouched(world)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("bystander")
def test_a_failing_orderly_stop_is_a_crash(world: World, script: Script, kind: str) -> None:
    script.ends.append(kind)
    world.boot(probe("a", script))

    world.address("a").tell(End())
    world.until_running("a", 2)

    assert world.happened("exited")[0].reason == f"crashed: {kind}: {kind}"
    assert_untouched(world)


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_constructor_is_a_failed_start(world: World, script: Script, kind: str) -> None:
    script.constructions.append(kind)

    started = world.boot(probe("a", script))

    assert started.outcome is ExitReason.INIT_FAILED
    assert kind in started.problem
    assert script.lives == []


def test_nobody_said_which_actor_lives_there(world: World) -> None:
    started = world.runtime.start(world.cell("nobody"))

    assert "no actor was given for nobody" in started.problem


def test_an_actor_that_ends_itself_ends_normally(world: World, script: Script) -> None:
    cell = world.solo("a", script)
    notices: list[Exit] = []
    cell.on_exit = notices.append

    world.address("a").tell(End())
    world.until_ended("a")

    assert script.lives == ["start a", "stop a"]
    world.settle(lambda: [n.reason for n in notices] == [ExitReason.NORMAL])
    assert cell.state is ActorState.STOPPED


def test_an_actor_may_end_itself_while_it_starts(world: World) -> None:
    class Brief(Probe):
        def started(self) -> None:
            self.ctx.stop()

    cell = world.runtime.populate("brief", Brief, {"script": Script()})

    assert world.runtime.start(cell).problem == ""
    world.until_ended("brief")
    assert world.outcome("brief") is ExitReason.NORMAL


def test_a_rejected_ask_answers_with_the_error_and_nobody_dies(
    world: World, script: Script
) -> None:
    world.boot(probe("a", script))

    with pytest.raises(Reject, match="not this one"):
        world.ask("a", Refuse())

    assert world.ask("a", Note(text="alive")) == ("alive", 1)


def test_a_job_with_a_bug_is_not_the_last_one_of_its_thread() -> None:
    runtime, done = ThreadRuntime(), list[str]()
    submit = runtime.worker("of a test")

    submit(lambda: done.append(str(1 / 0)))
    submit(lambda: done.append("the next one"))

    assert runtime.flush("of a test", 10 * NS_PER_S)
    assert done == ["the next one"]


def test_a_rejected_tell_is_a_dead_letter_and_nobody_dies(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    world.address("a").tell(Refuse())

    assert world.ask("a", Note(text="alive")) == ("alive", 1)
    assert world.dead("a") == {"rejected": 1}


def test_a_supervisor_survives_a_message_that_is_not_for_it(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    world.address("root").tell(Note(text="hm"))
    world.settle(lambda: bool(world.dead("root")))

    assert world.names() == ["a"]
    assert world.dead("root") == {"rejected": 1}


def test_poison_is_kept_with_its_traceback_and_never_replayed(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    for text in ("before", "after"):
        world.address("a").tell(Note(text=text))
        world.address("a").tell(Raise())
    world.until_running("a", 3)
    world.ask("a", Ping())

    letters = [x for x in world.runtime.dead_letters.ring if x.why == "poison"]
    assert [x.message for x in letters] == [Raise(), Raise()]
    assert "ValueError" in letters[0].detail
    assert "in receive" in letters[0].detail
    assert script.notes == ["before", "after"]


def test_a_notice_of_an_older_incarnation_changes_nothing(world: World, script: Script) -> None:
    world.boot(probe("a", script))
    world.address("a").tell(Raise())
    world.until_running("a", 2)

    stale = Exit(
        child=world.cell("a").path,
        epoch=world.happened("exited")[0].epoch,
        reason=ExitReason.CRASHED,
        error_class="",
        error="",
        ts_ns=world.runtime.clock.utc_ns(),
    )
    world.address("root").tell(stale)

    assert [(c.child, c.epoch) for c in world.children()] == [("a", 2)]
    assert len(world.happened("exited")) == 1


def test_an_injected_crash_is_a_crash(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    world.address("a").tell(InjectCrash(reason="drill"))
    world.until_running("a", 2)

    assert "crash injected: drill" in world.cell("a").last_error
    assert "crash injected: drill" in world.cell("a").last_traceback


def test_an_injected_crash_loses_no_message_of_anybodys(world: World, script: Script) -> None:
    world.boot(probe("a", script))

    world.address("a").tell(InjectCrash(reason="drill"))
    world.address("a").tell(Note(text="behind it"))
    world.until_running("a", 2)
    world.ask("a", Ping())

    assert script.notes == ["behind it"]
    assert world.dead("a") == {}


@pytest.mark.parametrize("stage", ["started", "receive", "stopping"])
def test_crashed_is_called_once_whatever_hook_failed(
    world: World, script: Script, stage: str
) -> None:
    let_go: list[str] = []

    class Holder(Probe):
        def crashed(self) -> None:
            let_go.append(stage)
            raise ValueError("and this fails too")

    cell = world.runtime.populate("holder", Holder, {"script": script})
    if stage == "started":
        script.starts.append("ValueError")
    elif stage == "stopping":
        script.ends.append("ValueError")
    world.runtime.start(cell)
    if stage != "started":
        world.address("holder").tell(Raise() if stage == "receive" else End())
    world.until_ended("holder")

    assert let_go == [stage]


def test_an_asker_of_a_hung_actor_is_told_when_it_is_given_up(world: World, script: Script) -> None:
    world.boot(probe("a", script, hang_after_ms=100))

    with pytest.raises(ActorCrashed, match="a was given up"):
        world.ask("a", InjectHang(reason="drill"), 10 * NS_PER_S)

    world.until_running("a", 2)


def test_a_child_that_hangs_in_its_own_stop_is_replaced(world: World, script: Script) -> None:
    script.ends.append("hang")
    world.boot(probe("a", script, hang_after_ms=50))

    world.address("a").tell(End())
    world.until_running("a", 2)

    assert "hung on Stopping" in world.cell("a").last_error


def test_a_child_that_hangs_in_its_start_is_given_up_and_tried_again(
    world: World, script: Script
) -> None:
    script.starts.extend([None, "hang"])
    world.boot(probe("a", script, start_timeout_ms=2_000))

    world.address("a").tell(Raise())
    world.until_running("a", 3)

    assert world.happened("exited")[1].reason == "init_failed: did not start within 2 s"
    assert world.ask("a", Note(text="up")) == ("up", 3)


def test_a_dead_peer_costs_the_sender_nothing(world: World, script: Script) -> None:
    world.boot(probe("a", script, restart=Restart.TEMPORARY))
    world.address("a").tell(Raise())
    world.until_ended("a")
    world.settle(lambda: world.address("a").is_out)

    assert world.address("a").tell(Note(text="anyone?")) is False
    assert world.dead("a") == {"poison": 1, "ended": 1}


def test_a_stopped_child_in_backoff_says_so(timed: World, script: Script) -> None:
    timed.boot(probe("a", script), backoff=SLOW_RETRY)

    timed.address("a").tell(Raise())

    timed.settle(lambda: timed.cell("a").state is ActorState.BACKOFF)
    assert "restarts in" in timed.cell("a").problem
