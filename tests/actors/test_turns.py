"""An actor that finds many messages waiting handles them in a row, and misses nothing by it."""

from collections.abc import Iterator
from typing import Any

import pytest

from actors.step_runtime import StepRuntime
from messages.base import Delivery, Message, Overflow
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import ActorState, InjectHang, Ping
from tests.actors.support import Note, Probe, Raise, Script, World, probe


class News(Message, frozen=True, kw_only=True):
    """May never be lost, as what an order did may not."""

    delivery = Delivery(overflow=Overflow.GROW)

    text: str


class Order(Message, frozen=True, kw_only=True):
    """Bears an order."""

    delivery = Delivery(overflow=Overflow.GROW, traced=True)

    key: str

    def trace_id(self) -> str:
        return self.key


class Listens(Probe):
    """Writes news down as it does notes."""

    def receive(self, message: Any) -> Any:
        return super().receive(Note(text=message.text) if isinstance(message, News) else message)


class Reader(Listens):
    """Takes 4 ms for each message, in virtual time; has a timer at 10 ms and one at an hour."""

    def started(self) -> None:
        super().started()
        self.ctx.after(10 * NS_PER_MS, Note(text="timer"))
        self.ctx.after(3600 * NS_PER_S, Note(text="much later"))

    def receive(self, message: Any) -> Any:
        runtime = self.ctx.runtime
        if isinstance(runtime, StepRuntime):
            runtime.clock.now_ns += 4 * NS_PER_MS
        return super().receive(message)


@pytest.fixture
def turns() -> Iterator[World]:
    """A world whose actors handle up to eight messages in a turn."""
    made = World(StepRuntime(turn=8))
    yield made
    made.close()


@pytest.mark.parametrize("kind", [Note, News])
def test_a_turn_ends_with_its_number_of_messages(
    turns: World, script: Script, kind: type[Message]
) -> None:
    cell = turns.runtime.populate("a", Listens, {"script": script})
    turns.runtime.start(cell)
    for n in range(10):
        turns.address("a").tell(kind(text=str(n)))
    runtime = turns.runtime
    assert isinstance(runtime, StepRuntime)

    runtime.step()
    assert script.notes == [str(n) for n in range(8)]
    runtime.step()
    assert script.notes == [str(n) for n in range(10)]
    assert cell.processed == cell.latency.count == 10


def test_in_a_row_too_each_order_is_a_line_and_of_the_rest_one_in_so_many(script: Script) -> None:
    runtime = StepRuntime(turn=100)
    runtime.note_hops(10)
    cell = runtime.populate("a", Probe, {"script": script})
    runtime.start(cell)
    for n in range(20):
        for message in (Note(text="plain"), News(text="fact"), Order(key=str(n))):
            cell.mailbox.put(message)
    runtime.run_until_idle()

    assert cell.hops is not None
    lines = list(cell.hops.take())
    assert [one.trace_id for one in lines if one.kind == "Order"] == [str(n) for n in range(20)]
    assert [one.every for one in lines if one.kind != "Order"] == [10] * 4
    assert cell.hops.waits.count == cell.latency.count == cell.processed == 60


@pytest.mark.parametrize("kind", [Note, News])
def test_a_timer_that_comes_due_within_a_turn_goes_first(
    turns: World, script: Script, kind: type[Message]
) -> None:
    cell = turns.runtime.populate("reader", Reader, {"script": script})
    turns.runtime.start(cell)
    for n in range(5):
        cell.mailbox.put(kind(text=str(n)))
    turns.rest()

    assert script.notes == ["0", "1", "2", "timer", "3", "4"]


@pytest.mark.parametrize("kind", [Note, News])
def test_control_goes_before_the_rest_of_a_turn(
    turns: World, script: Script, kind: type[Message]
) -> None:
    class Interrupts(Probe):
        def receive(self, message: Any) -> Any:
            if message.text == "0":
                self.ctx.tell(self.ctx.runtime.address("a"), InjectHang(reason="drill"))
            self.script.notes.append(message.text)

    turns.boot(probe("a", script, actor_class=Interrupts, hang_after_ms=1000))
    for n in range(4):
        turns.address("a").tell(kind(text=str(n)))
    turns.rest()
    assert script.notes == ["0"]  # it hangs: the turn is over with it

    turns.until_running("a", 2)
    turns.rest()
    assert script.notes == ["0", "1", "2", "3"]


def test_one_that_fails_in_a_turn_leaves_the_rest_to_its_successor(
    turns: World, script: Script
) -> None:
    turns.boot(probe("a", script, actor_class=Listens))
    for message in (News(text="0"), Note(text="1"), Raise(), News(text="2"), Note(text="3")):
        turns.address("a").tell(message)
    turns.rest()

    assert script.notes == ["0", "1", "2", "3"]
    assert turns.cell("a").epoch == 2
    assert turns.dead("a") == {"poison": 1}


def test_who_is_replaced_within_a_turn_handles_no_more_of_it(turns: World, script: Script) -> None:
    class Replaced(Probe):
        def receive(self, message: Any) -> Any:
            self.script.notes.append(f"{message.text} by {self.ctx.epoch}")
            if self.ctx.epoch == 1:
                self.ctx.runtime.fence(self.ctx.cell)

    cell = turns.runtime.populate("a", Replaced, {"script": script})
    turns.runtime.start(cell)
    for n in range(4):
        cell.mailbox.put(News(text=str(n)))
    turns.rest()
    assert script.notes == ["0 by 1"]

    turns.runtime.start(cell)
    turns.rest()
    assert script.notes[1:] == ["1 by 2", "2 by 2", "3 by 2"]
    assert cell.state is ActorState.RUNNING


def test_a_worker_does_as_many_jobs_in_a_turn(turns: World) -> None:
    done: list[int] = []
    submit = turns.runtime.worker("venue")
    for n in range(10):
        submit(lambda n=n: done.append(n))  # type: ignore[misc]  # bound in each round
    runtime = turns.runtime
    assert isinstance(runtime, StepRuntime)

    runtime.step()
    assert done == list(range(8))
    runtime.step()
    assert done == list(range(10))


def test_a_fact_is_kept_beyond_the_bound_and_a_closed_box_refuses_it(
    world: World, script: Script
) -> None:
    cell = world.runtime.populate("a", Probe, {"script": script}, 2)
    for n in range(5):
        assert cell.mailbox.put(News(text=str(n)))
    assert cell.mailbox.high_water == 5
    assert not cell.mailbox.put(Note(text="full"))

    cell.mailbox.close("ended")
    assert not cell.mailbox.put(News(text="late"))
    assert world.dead("a") == {"full": 1, "ended": 6}


def test_on_threads_a_timer_fires_while_there_is_always_more_to_do(
    threads: World, script: Script
) -> None:
    class Endless(Probe):
        def started(self) -> None:
            self.ctx.after(5 * NS_PER_MS, Ping())

        def receive(self, message: Any) -> Any:
            if isinstance(message, News):
                self.ctx.tell(self.ctx.runtime.address("a"), message)
            return super().receive(message)

        def _built_in(self, message: Any) -> Any:
            self.script.inside.set()
            self.ctx.stop()
            return super()._built_in(message)

    threads.runtime.start(threads.runtime.populate("a", Endless, {"script": script}))
    threads.address("a").tell(News(text="again"))

    threads.settle(script.inside.is_set, "the timer never fired")
    threads.until_ended("a")
