"""What we rely on in the installed Pykka. A failure here means: read its changes first."""

import inspect
import queue
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any

import pykka
import pytest
from pykka import messages

LIMIT_S = 60

INBOX: ContextVar[Any] = ContextVar("INBOX")


class Slip:
    """An envelope that Pykka did not make."""

    def __init__(self, message: Any, reply_to: Any = None) -> None:
        self.message = message
        self.reply_to = reply_to


class Halt(Exception):
    """Raised by an inbox to step the loop."""


class Plain(pykka.ThreadingActor):
    """Writes down which hooks were called, in which thread, and fails where told."""

    use_daemon_thread = True

    def __init__(self, fail_in: str = "", error: type[BaseException] = ValueError) -> None:
        super().__init__()
        self.fail_in = fail_in
        self.error = error
        self.calls: list[str] = []
        self.threads: set[str] = set()
        self.failure: BaseException | None = None
        self.stopped_inside: bool | None = None

    def note(self, hook: str) -> None:
        self.calls.append(hook)
        self.threads.add(threading.current_thread().name)
        if self.fail_in == hook:
            raise self.error(hook)

    def on_start(self) -> None:
        self.note("on_start")

    def on_stop(self) -> None:
        self.stopped_inside = self.actor_stopped.is_set()
        self.note("on_stop")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.stopped_inside = self.actor_stopped.is_set()
        self.failure = exception_value
        self.note("on_failure")

    def on_receive(self, message: Any) -> Any:
        self.note(f"on_receive {message}")
        return message


def started(actor: Plain) -> Plain:
    """What `start` does, with the object in hand."""
    pykka.ActorRegistry.register(actor.actor_ref)
    actor._start_actor_loop()
    return actor


def gone(actor: pykka.Actor) -> bool:
    """Whether the actor has stopped and its thread has ended."""
    stopped = actor.actor_stopped.wait(LIMIT_S)
    for thread in threading.enumerate():
        if thread.name.startswith(type(actor).__name__) and thread.daemon:
            thread.join(LIMIT_S)
    return stopped


@pytest.fixture(autouse=True)
def _clean_registry() -> Iterator[None]:
    pykka.ActorRegistry.stop_all(timeout=LIMIT_S)
    yield
    pykka.ActorRegistry.stop_all(timeout=LIMIT_S)


# ---------------------------------------------------------------- version and shape


def test_the_version_is_one_that_this_file_was_read_against() -> None:
    major, minor = version("pykka").split(".")[:2]

    assert (int(major), int(minor)) >= (4, 5)
    assert int(major) == 4


@pytest.mark.parametrize(
    "name",
    [
        "_actor_loop",
        "_actor_loop_setup",
        "_actor_loop_running",
        "_actor_loop_teardown",
        "_create_actor_inbox",
        "_create_future",
        "_handle_receive",
        "_start_actor_loop",
        "_stop",
        "on_failure",
        "on_receive",
        "on_start",
        "on_stop",
    ],
)
def test_the_hooks_exist(name: str) -> None:
    assert callable(getattr(pykka.ThreadingActor, name))


def test_the_loop_is_setup_then_running_then_teardown() -> None:
    order: list[str] = []

    class Ordered(Plain):
        def _actor_loop_setup(self) -> None:
            order.append("setup")

        def _actor_loop_running(self) -> None:
            order.append("running")

        def _actor_loop_teardown(self) -> None:
            order.append("teardown")

    Ordered()._actor_loop()

    assert order == ["setup", "running", "teardown"]


def test_the_inbox_hook_is_static_and_called_while_the_actor_is_made() -> None:
    class Ours(Plain):
        @staticmethod
        def _create_actor_inbox() -> Any:
            return INBOX.get()

    inbox: queue.Queue[Any] = queue.Queue()
    token = INBOX.set(inbox)
    actor = Ours()
    INBOX.reset(token)

    assert isinstance(inspect.getattr_static(Plain, "_create_actor_inbox"), staticmethod)
    assert actor.actor_inbox is inbox


def test_an_actor_has_a_ref_an_inbox_and_an_event_as_soon_as_it_is_made() -> None:
    actor = Plain()

    assert actor.actor_ref.actor_inbox is actor.actor_inbox
    assert actor.actor_ref.actor_stopped is actor.actor_stopped
    assert actor.actor_ref.is_alive()
    assert pykka.ActorRegistry.get_all() == []


def test_a_failing_constructor_reaches_the_caller_and_registers_nothing() -> None:
    class Broken(Plain):
        def __init__(self) -> None:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Broken.start()

    assert pykka.ActorRegistry.get_all() == []


def test_registering_and_unregistering_are_public_and_unregistering_twice_is_harmless() -> None:
    ref = Plain().actor_ref

    pykka.ActorRegistry.register(ref)
    pykka.ActorRegistry.unregister(ref)
    pykka.ActorRegistry.unregister(ref)

    assert pykka.ActorRegistry.get_all() == []


# ---------------------------------------------------------------- life


def test_start_receive_and_stop_run_in_one_thread_of_the_actor() -> None:
    actor = started(Plain())

    assert actor.actor_ref.ask("hello", timeout=LIMIT_S) == "hello"
    assert actor.actor_ref.stop(timeout=LIMIT_S)

    assert gone(actor)
    assert actor.calls == ["on_start", "on_receive hello", "on_stop"]
    assert len(actor.threads) == 1
    assert threading.current_thread().name not in actor.threads


def test_stop_is_a_message_behind_what_is_queued() -> None:
    actor = Plain()
    for n in range(3):
        actor.actor_ref.tell(n)
    actor.actor_ref.stop(block=False)
    actor.actor_ref.tell("too late")

    started(actor)

    assert gone(actor)
    assert actor.calls == ["on_start", *(f"on_receive {n}" for n in range(3)), "on_stop"]


def test_the_stop_message_comes_with_a_future_through_the_inbox() -> None:
    actor = Plain()
    actor.actor_ref.stop(block=False)

    envelope = actor.actor_inbox.get()

    assert isinstance(envelope.message, messages._ActorStop)
    assert envelope.reply_to is not None


def test_the_stopped_event_is_set_before_the_last_hooks_run() -> None:
    ending, failing = started(Plain()), started(Plain(fail_in="on_receive x"))

    ending.actor_ref.stop(timeout=LIMIT_S)
    failing.actor_ref.tell("x")

    assert gone(ending)
    assert gone(failing)
    assert (ending.stopped_inside, failing.stopped_inside) == (True, True)


def test_setting_the_stopped_event_ends_the_loop_after_the_present_message() -> None:
    class Sets(Plain):
        def on_receive(self, message: Any) -> Any:
            self.note(f"on_receive {message}")
            self.actor_stopped.set()

    actor = Sets()
    actor.actor_ref.tell("one")
    actor.actor_ref.tell("two")
    started(actor)

    assert gone(actor)
    pykka.ActorRegistry.unregister(actor.actor_ref)
    assert actor.calls == ["on_start", "on_receive one"]


def test_a_dead_ref_raises_in_the_sender() -> None:
    actor = started(Plain())
    actor.actor_ref.stop(timeout=LIMIT_S)

    with pytest.raises(pykka.ActorDeadError):
        actor.actor_ref.tell("anyone?")


# ---------------------------------------------------------------- failures


def test_a_failing_start_is_not_told_to_on_failure() -> None:
    actor = started(Plain(fail_in="on_start"))

    assert gone(actor)
    assert actor.calls == ["on_start"]
    assert pykka.ActorRegistry.get_all() == []


def test_a_failing_tell_ends_the_actor_by_on_failure_without_on_stop() -> None:
    actor = started(Plain(fail_in="on_receive x"))
    actor.actor_ref.tell("x")

    assert gone(actor)
    assert actor.calls == ["on_start", "on_receive x", "on_failure"]
    assert isinstance(actor.failure, ValueError)


def test_a_failing_ask_goes_to_the_asker_and_the_actor_lives_on() -> None:
    actor = started(Plain(fail_in="on_receive x"))

    with pytest.raises(ValueError, match="on_receive x"):
        actor.actor_ref.ask("x", timeout=LIMIT_S)

    assert actor.actor_ref.ask("y", timeout=LIMIT_S) == "y"
    assert "on_failure" not in actor.calls


def test_an_ask_whose_asker_was_answered_and_cut_off_takes_the_failure_path() -> None:
    class CutsOff(Plain):
        envelope: Any = None

        def on_receive(self, message: Any) -> Any:
            reply_to, self.envelope.reply_to = self.envelope.reply_to, None
            reply_to.set_exception((ValueError, ValueError("told first"), None))
            raise ValueError(message)

    actor = CutsOff()
    future: pykka.ThreadingFuture[Any] = pykka.ThreadingFuture()
    actor.envelope = Slip("x", future)
    actor.actor_inbox.put(actor.envelope)
    started(actor)

    with pytest.raises(ValueError, match="told first"):
        future.get(timeout=LIMIT_S)
    assert gone(actor)
    assert actor.calls == ["on_start", "on_failure"]


def test_a_failing_stop_is_not_told_to_on_failure() -> None:
    actor = started(Plain(fail_in="on_stop"))

    assert actor.actor_ref.stop(timeout=LIMIT_S) is True
    assert gone(actor)
    assert actor.calls == ["on_start", "on_stop"]


def test_a_failing_on_failure_is_caught() -> None:
    class Fails(Plain):
        def on_receive(self, message: Any) -> Any:
            self.fail_in = "on_failure"
            raise ValueError(message)

    actor = started(Fails())
    actor.actor_ref.tell("x")

    assert gone(actor)
    assert actor.calls == ["on_start", "on_failure"]


def test_a_base_exception_stops_every_actor_of_the_process() -> None:
    bystander = started(Plain())
    actor = started(Plain(fail_in="on_receive x", error=SystemExit))
    actor.actor_ref.tell("x")

    assert gone(actor)
    assert gone(bystander)
    assert actor.calls == ["on_start", "on_receive x", "on_stop"]


# ---------------------------------------------------------------- the seam for stepping


def test_any_object_with_a_message_and_a_reply_to_is_an_envelope() -> None:
    future: pykka.ThreadingFuture[Any] = pykka.ThreadingFuture()
    actor = Plain()
    actor.actor_inbox.put(Slip("mine", future))  # type: ignore[arg-type]  # an envelope of our own
    started(actor)

    assert future.get(timeout=LIMIT_S) == "mine"


def test_what_the_inbox_raises_passes_through_the_loop_and_hurts_nobody() -> None:
    class Granting:
        def __init__(self) -> None:
            self.slips = [Slip("one"), Slip("two")]
            self.grant = 0

        def get(self) -> Slip:
            if not self.grant or not self.slips:
                raise Halt
            self.grant -= 1
            return self.slips.pop(0)

        def put(self, envelope: Any) -> None:
            self.slips.append(envelope)

        def empty(self) -> bool:
            return True

    class Stepped(Plain):
        @staticmethod
        def _create_actor_inbox() -> Any:
            return INBOX.get()

    inbox = Granting()
    token = INBOX.set(inbox)
    actor = Stepped()
    INBOX.reset(token)
    actor._actor_loop_setup()
    seen = []
    for _ in range(3):
        inbox.grant = 1
        with pytest.raises(Halt):
            actor._actor_loop_running()
        seen.append(actor.calls[-1])

    assert seen == ["on_receive one", "on_receive two", "on_receive two"]
    assert not actor.actor_stopped.is_set()
    assert "on_failure" not in actor.calls


def test_a_stepped_stop_returns_from_the_loop() -> None:
    actor = Plain()
    actor.actor_ref.stop(block=False)

    actor._actor_loop_setup()
    actor._actor_loop_running()
    actor._actor_loop_teardown()

    assert actor.calls == ["on_start", "on_stop"]


def test_the_teardown_takes_only_what_the_inbox_admits_to_have() -> None:
    class Discreet(queue.Queue[Any]):
        def empty(self) -> bool:
            return True

    class Ours(Plain):
        @staticmethod
        def _create_actor_inbox() -> Any:
            return Discreet()

    actor = Ours()
    actor.actor_ref.stop(block=False)
    actor.actor_ref.tell("kept")
    started(actor)

    assert gone(actor)
    assert actor.actor_inbox.get().message == "kept"


def test_the_teardown_of_an_ordinary_inbox_loses_tells_and_fails_asks() -> None:
    actor = Plain()
    actor.actor_ref.stop(block=False)
    asked = actor.actor_ref.ask("late", block=False)
    started(actor)

    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=LIMIT_S)


def test_the_daemon_flag_is_read_at_start() -> None:
    class Says(Plain):
        def on_receive(self, message: Any) -> Any:
            return threading.current_thread().daemon

    assert started(Says()).actor_ref.ask("?", timeout=LIMIT_S) is True


# ---------------------------------------------------------------- futures


def test_a_future_is_set_once() -> None:
    future: pykka.ThreadingFuture[Any] = pykka.ThreadingFuture()
    future.set(1)

    with pytest.raises(queue.Full):
        future.set(2)
    with pytest.raises(queue.Full):
        future.set_exception((ValueError, ValueError("x"), None))
    assert future.get(timeout=0) == 1


def test_a_future_raises_what_it_was_given() -> None:
    future: pykka.ThreadingFuture[Any] = pykka.ThreadingFuture()
    future.set_exception((ValueError, ValueError("mine"), None))

    with pytest.raises(ValueError, match="mine"):
        future.get(timeout=0)


def test_a_future_knows_privately_whether_it_is_done() -> None:
    future: pykka.ThreadingFuture[Any] = pykka.ThreadingFuture()
    assert future._result is None

    future.set(None)

    assert future._result is not None


def test_waiting_too_long_is_a_timeout() -> None:
    future: pykka.ThreadingFuture[Any] = pykka.ThreadingFuture()

    with pytest.raises(pykka.Timeout):
        future.get(timeout=0)
