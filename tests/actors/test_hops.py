"""Each message's way through an actor is noted: complete for orders, sampled for the rest."""

from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from actors import hops as hops_module
from actors.cell import Cell
from actors.context import Context
from actors.gathering import Gathering
from actors.hops import Hop, StageNotes, outcomes
from actors.metrics import MetricsActor
from actors.step_runtime import StepRuntime
from decisions.metrics import MetricsFold
from decisions.stages import OK, StageRecord
from messages.base import Delivery, Message
from messages.ids import NS_PER_MS, NS_PER_S, ActorPath
from tests.actors.support import Note, Probe, Raise, Refuse, Script, World
from tests.decisions.test_histogram import at_each_step_of


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


def test_an_outcome_that_is_new_while_all_are_counted_harms_nobody() -> None:
    _, cell = probed(every=1000)
    assert cell.hops is not None
    counted = cell.hops.outcomes
    counted.update({"ok": 1, "error": 1})

    def count_another() -> None:
        counted[f"new-{len(counted)}"] += 1

    steps = at_each_step_of(
        Counter.update.__code__, count_another, partial(outcomes, 2, cell.hops, {})
    )

    assert len(counted) > steps > 10


class Slow(Probe):
    """Takes 3 ns for an order, and then fails, refuses, hangs or does well, as its key says."""

    def receive(self, message: Any) -> Any:
        runtime = self.ctx.runtime
        assert isinstance(runtime, StepRuntime)
        runtime.clock.now_ns += 3
        script = {"error": Raise(), "rejected": Refuse()}
        if message.key == "hung":
            self.ctx.block_forever()
        return super().receive(script.get(message.key, message))


@pytest.mark.parametrize(
    ("key", "outcome"),
    [("k", "ok"), ("rejected", "rejected"), ("error", "error"), ("hung", "error")],
)
def test_every_outcome_has_its_times_in_its_line_and_in_both_histograms(
    key: str, outcome: str
) -> None:
    runtime = StepRuntime(start_ns=100)
    runtime.note_hops(1_000)
    cell = runtime.populate("probe", Slow, {"script": Script()})
    runtime.start(cell)
    cell.mailbox.put(Order(key=key))
    runtime.clock.now_ns += 5
    runtime.run_until_idle()
    if key == "hung":
        runtime.fence(cell, "poison", "hung on it")

    (line,) = lines(cell)
    assert (line.enqueued_ns, line.started_ns, line.ended_ns) == (100, 105, 108)
    assert (line.trace_id, line.outcome) == (key, outcome)
    assert cell.hops is not None
    assert (cell.hops.waits.count, cell.hops.waits.max) == (1, 5)
    assert (cell.latency.count, cell.latency.max) == (1, 3)
    letters = runtime.dead_letters.reasons(cell.path)
    assert +Counter(outcomes(cell.processed, cell.hops, letters)) == {outcome: 1}


class Draining(Probe):
    """Handles orders together and refuses all, as an executor may; it is fenced in the middle."""

    def receive(self, message: Any) -> None:
        batch = [message, *self.ctx.drain((Order,), 9)]
        for one in batch:
            self.ctx.judge(one.key, "rejected", "by risk")
        if message.key == "hung":
            self.ctx.runtime.fence(self.ctx.cell, "poison", "hung on it")
            self.ctx.hand_on(batch[1:])
            self.ctx.runtime.start(self.ctx.cell)


def test_what_a_fenced_incarnation_had_in_hand_is_not_noted_for_its_successor() -> None:
    runtime = StepRuntime()
    runtime.note_hops(1_000)
    cell = runtime.populate("probe", Draining, {"script": Script()})
    runtime.start(cell)
    for key in ("hung", "b", "c"):
        cell.mailbox.put(Order(key=key))
    runtime.run_until_idle()

    assert cell.hops is not None
    assert [(one.trace_id, one.outcome) for one in lines(cell)] == [
        ("hung", "error"),
        ("b", "rejected"),
        ("c", "rejected"),
    ]
    assert cell.processed == 2
    letters = runtime.dead_letters.reasons(cell.path)
    assert +Counter(outcomes(cell.processed, cell.hops, letters)) == {"error": 1, "rejected": 2}


@pytest.mark.parametrize("is_late", [False, True])
def test_a_verdict_of_a_fenced_incarnation_is_none_of_its_successors(is_late: bool) -> None:
    runtime, cell = probed(every=1_000)
    context = Context(cell, cell.life, runtime) if cell.life else None
    assert context is not None
    if not is_late:
        context.judge("k", "rejected", "by risk")
    runtime.fence(cell)
    runtime.start(cell)
    if is_late:
        context.judge("k", "rejected", "by a zombie")
    cell.mailbox.put(Order(key="k"))
    runtime.run_until_idle()

    assert [(one.trace_id, one.outcome) for one in lines(cell)] == [("k", "ok")]


def test_a_dropped_one_shows_how_long_it_waited() -> None:
    runtime, cell = probed(every=1000, capacity=1)
    cell.mailbox.put(Late())
    cell.mailbox.put(Order())
    runtime.clock.advance_to(NS_PER_S)
    runtime.run_until_idle()

    times = [(one.kind, one.enqueued_ns, one.started_ns, one.ended_ns) for one in lines(cell)]
    assert times == [("Order", 0, 0, 0), ("Late", 0, NS_PER_S, NS_PER_S)]
    assert cell.hops is not None
    assert cell.hops.waits.count == cell.latency.count == 0


def test_on_threads_a_plain_message_that_fails_began_when_it_was_taken_up(world: World) -> None:
    """The plain road fails a message once more, where Pykka sees it: not the time of that."""
    world.runtime.cells.clear()
    world.runtime.note_hops(1)
    script = Script()
    cell = world.runtime.populate("probe", Failing, {"script": script})
    world.runtime.start(cell)
    cell.mailbox.put(Note(text="x"))
    found: list[Hop] = []

    def is_noted() -> bool:
        found.extend(lines(cell))
        return bool(found)

    world.settle(is_noted, "a line")

    (line,) = found
    assert line.ended_ns - line.started_ns >= Failing.took_ns > 0
    assert cell.latency.max >= Failing.took_ns


def test_a_full_buffer_costs_lines_which_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hops_module, "CAPACITY", 3)
    monkeypatch.setattr(hops_module, "MUCH", 2)
    runtime, cell = probed(every=1)
    for number in range(10):
        cell.mailbox.put(Order(key=str(number)))
    runtime.run_until_idle()

    assert [one.trace_id for one in lines(cell)] == ["0", "1", "2"]
    assert cell.hops is not None
    assert cell.hops.dropped == 7
    assert cell.hops.waits.count == 10


class Failing(Probe):
    """Works for two milliseconds, then fails."""

    took_ns = 2 * NS_PER_MS

    def receive(self, message: Any) -> None:
        until_ns = self.ctx.monotonic_ns() + self.took_ns
        while self.ctx.runtime.threaded and self.ctx.monotonic_ns() < until_ns:
            pass
        if not self.ctx.runtime.threaded:
            self.ctx.runtime.clock.advance_to(until_ns)  # type: ignore[attr-defined]  # only steps have a clock to set
        raise ValueError("after a while")


class Noting(Probe):
    """Notes two stages of each order, as an executor does."""

    def receive(self, message: Any) -> None:
        notes = self.ctx.stages
        assert notes is not None
        at_ns = self.ctx.monotonic_ns()
        for stage in ("risk", "claim"):
            notes.note(StageRecord(at_ns, stage, message.key, "BTC/USDT", 1, OK))


class Kept:
    """Counts lines, without those of what metrics itself was told."""

    written = dropped = 0
    problem = ""

    def __init__(self) -> None:
        self.total = 0

    def write(self, line: bytes) -> None:
        self.total += b'"actor":"metrics"' not in line

    def flush(self) -> None: ...

    def close(self) -> None: ...


def gathered(kept: Kept, fold: MetricsFold) -> tuple[StepRuntime, Cell, StageNotes]:
    runtime = StepRuntime()
    notes = runtime.note_hops(1_000)
    arguments = {
        "fold": fold,
        "open_lines": lambda: kept,
        "write_summary": None,
        "describe": dict,
        "gathering": Gathering(runtime.cells, notes),
    }
    runtime.start(runtime.populate("metrics", MetricsActor, arguments))
    cell = runtime.populate("executor", Noting, {"script": Script()}, 100_000)
    runtime.start(cell)
    return runtime, cell, notes


@pytest.mark.slow
def test_a_burst_between_two_rounds_of_metrics_loses_no_line() -> None:
    """More at one moment than any buffer holds: what is half full asks metrics to come."""
    kept, fold, orders = Kept(), MetricsFold(), hops_module.CAPACITY + 2_000
    runtime, cell, notes = gathered(kept, fold)
    assert 2 * orders > hops_module.STAGES_CAPACITY
    for number in range(orders):
        cell.mailbox.put(Order(key=str(number)))
    runtime.run_until_idle()
    before_the_round = kept.total
    runtime.run_for(2 * NS_PER_S)

    assert cell.hops is not None
    assert (cell.hops.dropped, notes.dropped, fold.keeping.dropped_lines) == (0, 0, 0)
    assert before_the_round > 2 * orders
    assert kept.total == 3 * orders


def test_metrics_is_asked_once_until_it_comes() -> None:
    runtime, _, notes = gathered(Kept(), MetricsFold())
    metrics = runtime.cells[ActorPath("metrics")]
    for _ in range(hops_module.MUCH + 100):
        notes.note(StageRecord(0, "claim", "k", "BTC/USDT", 1, OK))
    assert metrics.mailbox.depth() == 1
    runtime.run_for(NS_PER_S)

    assert list(notes.take()) == []
    notes.nudge()
    assert metrics.mailbox.depth() == 1


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
