"""What we rely on in the installed Pykka: its version, its hooks and its futures.

A failure in this folder means: read the changes of Pykka first.
"""

import inspect
import queue
from importlib.metadata import version
from typing import Any

import pykka
import pytest

from tests.actors.pykka_contract.plain import INBOX, Plain


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
