"""What we rely on in the installed Pykka: its loop, stepped with an inbox of ours."""

from typing import Any

import pykka
import pytest

from tests.actors.pykka_contract.plain import INBOX, LIMIT_S, Plain, Slip, started


class Halt(Exception):
    """Raised by an inbox to step the loop."""


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
