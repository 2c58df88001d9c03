"""What we rely on in the installed Pykka: how an actor lives, ends, and loses its mail."""

import queue
import threading
from typing import Any

import pykka
import pytest
from pykka import messages

from tests.actors.pykka_contract.plain import LIMIT_S, Plain, gone, started


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
