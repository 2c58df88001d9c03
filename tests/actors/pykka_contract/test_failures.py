"""What we rely on in the installed Pykka: which failures it tells of, and which it hides."""

from typing import Any

import pykka
import pytest

from tests.actors.pykka_contract.plain import LIMIT_S, Plain, Slip, gone, started


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
