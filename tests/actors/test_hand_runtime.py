"""The threads on a clock that a test moves: what rests does rest, and time moves by hand alone."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from actors.cell import Cell
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import HaltTrading, InjectHang
from tests.actors import hand_runtime
from tests.actors.hand_runtime import HandRuntime
from tests.actors.support import Note, Probe, Raise, Script, Wait

HOUR_NS = 3_600 * NS_PER_S


class Clockwork(Probe):
    """Writes down when its timers come, and what comes in between."""

    def started(self) -> None:
        for seconds in (3_600, 60):
            self.ctx.after(seconds * NS_PER_S, Note(text=f"after {seconds}"))

    def receive(self, message: Any) -> Any:
        now_s = self.ctx.runtime.clock.monotonic_ns() // NS_PER_S
        text = message.text if isinstance(message, Note) else type(message).__name__
        self.script.notes.append(f"{text} at {now_s}")


@pytest.fixture
def runtime() -> Iterator[HandRuntime]:
    made = HandRuntime(ttl_enforced=False)
    yield made
    made.end()


def begun(runtime: HandRuntime, script: Script, actor: type[Probe] = Probe) -> Cell:
    cell = runtime.populate("one", actor, {"script": script})
    assert not runtime.start(cell).problem
    return cell


def test_an_actor_runs_on_a_thread_of_its_own(runtime: HandRuntime, script: Script) -> None:
    cell = begun(runtime, script)

    assert runtime.inside(cell, threading.current_thread) is not threading.current_thread()
    assert cell.life is not None
    assert runtime.inside(cell, threading.current_thread) is cell.life.thread


def test_at_rest_all_that_was_told_is_handled(runtime: HandRuntime, script: Script) -> None:
    cell = begun(runtime, script)
    for number in range(1_000):
        cell.mailbox.put(Note(text=str(number)))
        if not number % 10:
            runtime.run_until_idle()
            assert (len(script.notes), cell.handling) == (number + 1, None)


def test_who_has_a_message_in_hand_does_not_rest(
    runtime: HandRuntime, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_runtime, "LIMIT_S", 0.01)
    cell = begun(runtime, script)
    cell.mailbox.put(Wait())
    script.inside.wait()

    with pytest.raises(AssertionError, match="does not rest"):
        runtime.run_until_idle()

    monkeypatch.undo()
    script.gate.set()
    runtime.run_until_idle()
    assert script.notes[0] == "woke"


def test_time_moves_to_one_timer_after_the_other_and_never_by_itself(
    runtime: HandRuntime, script: Script
) -> None:
    begun(runtime, script, Clockwork)

    runtime.run_for(60 * NS_PER_S - 1)
    assert script.notes == []
    runtime.run_for(2 * HOUR_NS)

    assert script.notes == ["after 60 at 60", "after 3600 at 3600"]
    assert runtime.clock.now_ns == 60 * NS_PER_S - 1 + 2 * HOUR_NS


def test_time_passes_as_far_as_is_needed(runtime: HandRuntime, script: Script) -> None:
    begun(runtime, script, Clockwork)

    assert runtime.run_until(lambda: len(script.notes) == 1)
    assert runtime.clock.now_ns == 60 * NS_PER_S
    assert not runtime.run_until(lambda: len(script.notes) == 3)


def test_what_is_held_lies_in_the_mailbox_before_any_of_it_is_read(
    runtime: HandRuntime, script: Script
) -> None:
    """So that what goes first does, whoever was waiting."""
    cell = begun(runtime, script, Clockwork)

    with runtime.held():
        cell.mailbox.put(Note(text="plain"))
        cell.mailbox.put(HaltTrading(reason="goes first", durable=False))
        assert cell.mailbox.depth() == 2
    runtime.run_until_idle()

    assert script.notes == ["HaltTrading at 0", "plain at 0"]


def test_who_died_has_said_its_last_word(runtime: HandRuntime, script: Script) -> None:
    cell = begun(runtime, script)
    cell.mailbox.put(Raise())
    runtime.run_until_idle()

    assert cell.life is not None
    assert cell.life.gone.is_set()
    assert cell.life.thread is not None
    assert not cell.life.thread.is_alive()


def test_who_hangs_is_passed_by_and_ends_with_the_runtime(
    runtime: HandRuntime, script: Script
) -> None:
    cell = begun(runtime, script)
    cell.mailbox.put(InjectHang(reason="test"))
    runtime.run_for(NS_PER_MS)
    assert cell.life is not None
    hung = cell.life.thread
    assert hung is not None
    assert hung.is_alive()

    runtime.end()

    assert not hung.is_alive()
