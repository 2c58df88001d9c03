"""Lines are made in short turns: whoever waits for the interpreter meanwhile may have an order."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from actors import hops as hops_module
from actors.cell import Cell
from actors.gathering import Gathering
from actors.hops import StageNotes
from actors.metrics import PAUSE_NS, TURN, TURNS, MetricsActor
from decisions.metrics import MetricsFold
from decisions.stages import OK, StageRecord
from messages.ids import NS_PER_S
from messages.lifecycle import GatherNow
from tests.actors.hand_runtime import Driven, HandRuntime

MANY = 10 * TURN


class Lines:
    """A file that keeps what is written to it."""

    written = dropped = 0
    problem = ""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def write(self, line: bytes) -> None:
        self.kinds.append(json.loads(line)["kind"])

    def flush(self) -> None: ...

    def close(self) -> None: ...

    @property
    def stages(self) -> int:
        return self.kinds.count("stage")


Gathers = tuple[Driven, Cell, StageNotes, Lines]
Begin = Callable[..., Gathers]


@pytest.fixture
def gathering(driven: Callable[..., Driven]) -> Begin:
    def begin(interval_s: float = 5.0) -> Gathers:
        runtime, lines = driven(), Lines()
        notes = runtime.note_hops(1_000_000)
        arguments: dict[str, Any] = {
            "fold": MetricsFold(),
            "open_lines": lambda: lines,
            "write_summary": None,
            "describe": dict,
            "interval_s": interval_s,
            "gathering": Gathering(runtime.cells, notes),
        }
        cell = runtime.populate("metrics", MetricsActor, arguments)
        runtime.start(cell)
        return runtime, cell, notes, lines

    return begin


def note(notes: StageNotes, count: int) -> None:
    for _ in range(count):
        notes.note(StageRecord(0, "claim", "k", "BTC/USDT", 1, OK))


def test_of_many_lines_a_few_are_made_in_each_turn_and_all_in_the_end(gathering: Begin) -> None:
    runtime, _, notes, lines = gathering()
    note(notes, MANY + 1)
    runtime.run_for(NS_PER_S)
    assert lines.stages == TURN

    made = []
    for _ in range(MANY // TURN):
        runtime.run_for(PAUSE_NS)
        made.append(lines.stages)
    assert made == [*range(2 * TURN, MANY + 1, TURN), MANY + 1]


def test_an_interval_ends_once_with_all_that_was_noted_before_it(gathering: Begin) -> None:
    runtime, _, notes, lines = gathering(interval_s=1.0)
    note(notes, MANY)
    runtime.run_for(NS_PER_S)
    assert "interval" not in lines.kinds

    runtime.run_for(NS_PER_S // 2)
    assert [kind for kind in lines.kinds if kind != "message"] == [*["stage"] * MANY, "interval"]


def test_a_gathering_that_goes_on_is_not_begun_a_second_time(gathering: Begin) -> None:
    """Each begun would set its own timer, and the turns would come ever faster."""
    runtime, _, notes, lines = gathering(interval_s=1.03)
    note(notes, TURN * (TURNS - 1))
    runtime.run_for(NS_PER_S + 40 * PAUSE_NS)  # the interval ends meanwhile
    before = lines.stages
    runtime.run_for(10 * PAUSE_NS)

    assert lines.stages - before == 10 * TURN


def test_who_is_asked_to_come_while_it_is_at_it_makes_its_turns_no_faster(
    gathering: Begin,
) -> None:
    runtime, metrics, notes, lines = gathering()
    note(notes, TURN * (TURNS - 1))
    runtime.run_for(NS_PER_S)
    for _ in range(5):
        metrics.mailbox.put(GatherNow())
    runtime.run_until_idle()
    before = lines.stages
    runtime.run_for(10 * PAUSE_NS)

    assert lines.stages - before == 10 * TURN


def test_who_is_asked_to_come_begins_at_once_and_the_more_waits_the_more_a_turn_makes(
    gathering: Begin,
) -> None:
    """It took all in one piece, 80 ms, in which every commit waited for the interpreter."""
    runtime, _, notes, lines = gathering()
    # On threads it would come as soon as it is asked, which is before the last of these.
    with runtime.held() if isinstance(runtime, HandRuntime) else nullcontext():
        note(notes, hops_module.MUCH + 1)
    runtime.run_until_idle()
    assert lines.stages == hops_module.MUCH // TURNS

    runtime.run_for(PAUSE_NS)
    assert hops_module.MUCH // TURNS < lines.stages < 2 * hops_module.MUCH // TURNS

    runtime.run_for(NS_PER_S)
    assert lines.stages == hops_module.MUCH + 1


def test_much_that_comes_while_lines_are_made_does_not_wait_for_the_next_second(
    gathering: Begin,
) -> None:
    runtime, _, notes, lines = gathering()
    note(notes, MANY)
    runtime.run_for(NS_PER_S)
    with runtime.held() if isinstance(runtime, HandRuntime) else nullcontext():
        note(notes, hops_module.MUCH + MANY)
    runtime.run_for(NS_PER_S // 2)

    assert lines.stages == hops_module.MUCH + 2 * MANY


def test_a_stop_in_the_middle_leaves_nothing_behind(gathering: Begin) -> None:
    runtime, metrics, notes, lines = gathering()
    note(notes, MANY)
    runtime.run_for(NS_PER_S)
    runtime.stop(metrics, NS_PER_S, drain=True)

    assert lines.stages == MANY


def test_a_new_incarnation_goes_on_with_what_was_not_taken(gathering: Begin) -> None:
    runtime, metrics, notes, lines = gathering()
    note(notes, MANY)
    runtime.run_for(NS_PER_S)
    runtime.fence(metrics)
    runtime.start(metrics)
    runtime.run_for(2 * NS_PER_S)

    assert lines.stages == MANY
