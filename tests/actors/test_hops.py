"""Each message's way through an actor is noted: complete for orders, sampled for the rest."""

from collections import Counter
from decimal import Decimal

import pytest

from actors import hops as hops_module
from actors.cell import Cell
from actors.hops import Hop, outcomes
from actors.step_runtime import StepRuntime
from messages.base import Delivery, Message
from messages.ids import NS_PER_S
from tests.actors.support import Note, Probe, Raise, Refuse, Script, World


class Order(Message, frozen=True, kw_only=True):
    """Bears an order."""

    delivery = Delivery(traced=True)
    key: str = "k"
    quantity: Decimal = Decimal(1)

    def trace_id(self) -> str:
        return self.key


class Late(Message, frozen=True, kw_only=True):
    """Bears an order and is soon too old."""

    delivery = Delivery(traced=True, ttl_ms=10)

    def trace_id(self) -> str:
        return "late"


def probed(every: int, capacity: int = 1024) -> tuple[StepRuntime, Cell]:
    runtime = StepRuntime()
    runtime.note_hops(every)
    cell = runtime.populate("probe", Probe, {"script": Script()}, capacity)
    runtime.start(cell)
    return runtime, cell


def lines(cell: Cell) -> list[Hop]:
    assert cell.hops is not None
    return list(cell.hops.take())


def test_each_message_that_bears_an_order_is_a_line() -> None:
    runtime, cell = probed(every=1000)
    for number in range(5):
        cell.mailbox.put(Order(key=f"k{number}"))
    runtime.run_until_idle()

    found = lines(cell)
    assert [one.trace_id for one in found] == ["k0", "k1", "k2", "k3", "k4"]
    assert {(one.kind, one.outcome, one.every) for one in found} == {("Order", "ok", 1)}
    assert all(one.enqueued_ns <= one.started_ns <= one.ended_ns for one in found)


def test_of_the_rest_one_stands_for_so_many_and_the_histograms_count_all() -> None:
    runtime, cell = probed(every=10)
    for number in range(105):
        cell.mailbox.put(Note(text=str(number)))
    runtime.run_until_idle()

    assert [one.every for one in lines(cell)] == [10] * 10
    assert cell.hops is not None
    assert cell.hops.waits.count == cell.latency.count == cell.processed == 105


def test_with_nobody_to_note_it_nothing_is_noted() -> None:
    runtime = StepRuntime()
    cell = runtime.populate("probe", Probe, {"script": Script()})

    assert cell.hops is None
    assert runtime.stages is None


def test_every_outcome_has_its_line_and_its_count() -> None:
    runtime, cell = probed(every=1000)
    cell.mailbox.put(Order())
    runtime.run_until_idle()
    cell.mailbox.put(Refuse())
    runtime.run_until_idle()
    cell.mailbox.put(Late())
    runtime.clock.advance_to(runtime.clock.now_ns + NS_PER_S)
    runtime.run_until_idle()
    cell.mailbox.put(Raise())
    runtime.run_until_idle()

    found = lines(cell)
    assert [(one.kind, one.outcome) for one in found] == [
        ("Order", "ok"),
        ("Refuse", "rejected"),
        ("Late", "dropped"),
        ("Raise", "error"),
    ]
    assert [one.reason for one in found] == [
        "",
        "Reject: not this one",
        "expired",
        "ValueError: ValueError",
    ]
    assert cell.hops is not None
    letters = runtime.dead_letters.reasons(cell.path)
    told = outcomes(cell.processed, cell.hops, letters)
    assert told == {"dropped": 1, "duplicate": 0, "error": 1, "ok": 1, "rejected": 1}


def test_a_full_buffer_costs_lines_which_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hops_module, "CAPACITY", 3)
    runtime, cell = probed(every=1)
    for number in range(10):
        cell.mailbox.put(Order(key=str(number)))
    runtime.run_until_idle()

    assert [one.trace_id for one in lines(cell)] == ["0", "1", "2"]
    assert cell.hops is not None
    assert cell.hops.dropped == 7
    assert cell.hops.waits.count == 10


@pytest.mark.parametrize("every", [1, 7, 500])
def test_on_threads_a_burst_is_sampled_evenly_and_counted_whole(world: World, every: int) -> None:
    world.runtime.cells.clear()
    world.runtime.note_hops(every)
    script = Script()
    cell = world.runtime.populate("probe", Probe, {"script": script}, 100_000)
    world.runtime.start(cell)
    for number in range(3_000):
        cell.mailbox.put(Note(text=str(number)))
    world.settle(lambda: cell.processed == 3_000, "all handled")

    assert cell.hops is not None
    kinds = Counter(one.every for one in lines(cell))
    assert kinds == {every: 3_000 // every}
    assert cell.hops.waits.count == 3_000
    assert outcomes(cell.processed, cell.hops, {})["ok"] == 3_000
    world.runtime.stop(cell, NS_PER_S)
