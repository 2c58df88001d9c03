"""Times of lines keep their order; a wall clock that is set moves them once, and that is said."""

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from loguru import logger

from actors.context import Context
from actors.executor_stages import ExecutorStages
from actors.gathering import Gathering
from actors.hops import StageNotes
from actors.step_runtime import StepRuntime
from actors.utc_offset import JUMP_NS, UtcOffset
from decisions.executor import Claim
from decisions.stages import OK, Cause, StageRecord
from messages.ids import NS_PER_MS, NS_PER_S, TimestampNs
from tests.actors.support import Probe, Script
from tests.decisions.risk_orders import intent


class Clocks:
    """Two clocks that go together until somebody sets one."""

    def __init__(self) -> None:
        self.wall_ns, self.steady_ns = 1_700_000_000 * NS_PER_S, 5 * NS_PER_S
        self.interrupted_ns = 0

    def utc_ns(self) -> int:
        self.steady_ns += self.interrupted_ns
        return self.wall_ns

    def monotonic_ns(self) -> int:
        return self.steady_ns

    def go(self, ns: int) -> None:
        self.wall_ns += ns
        self.steady_ns += ns


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), level="WARNING")
    yield lines
    logger.remove(sink)


def test_lines_of_many_rounds_keep_the_spans_between_them(said: list[str]) -> None:
    """Each reading of two clocks is a little off: one that was read anew moves lines back."""
    clocks = Clocks()
    notes = StageNotes(clocks.monotonic_ns)
    gathering = Gathering({}, notes)
    times = []
    for off_ns in (0, -40 * NS_PER_MS, 30 * NS_PER_MS, -NS_PER_MS):
        clocks.go(NS_PER_MS)
        notes.note(StageRecord(clocks.steady_ns, "claim", "k", "BTC/USDT", 1, OK))
        clocks.wall_ns += off_ns
        (line,) = gathering.lines(clocks.utc_ns)
        clocks.wall_ns -= off_ns
        times.append(json.loads(line)["at_ns"])

    assert [b - a for a, b in pairwise(times)] == [NS_PER_MS] * 3
    assert said == []


@pytest.mark.parametrize("step_ns", [3_600 * NS_PER_S, -2 * NS_PER_S, JUMP_NS + 1])
def test_a_clock_that_is_set_is_followed_once_and_said(step_ns: int, said: list[str]) -> None:
    clocks = Clocks()
    offset = UtcOffset(clocks.utc_ns, clocks.monotonic_ns)
    before_ns = offset.current_ns()
    clocks.wall_ns += step_ns

    assert offset.current_ns() == before_ns + step_ns
    clocks.go(NS_PER_S)
    assert offset.current_ns() == before_ns + step_ns
    assert len(said) == 1
    assert f"moved by {step_ns / NS_PER_S:+.3f} s" in said[0]


def test_a_thread_that_is_interrupted_between_the_clocks_sees_no_jump(said: list[str]) -> None:
    clocks = Clocks()
    offset = UtcOffset(clocks.utc_ns, clocks.monotonic_ns)
    before_ns = offset.current_ns()
    clocks.interrupted_ns = NS_PER_S

    assert offset.current_ns() == before_ns
    assert said == []


@pytest.mark.parametrize("step_ns", [3_600 * NS_PER_S, -3_600 * NS_PER_S])
def test_a_clock_that_is_set_between_decision_and_judgement_changes_no_latency(
    step_ns: int,
) -> None:
    runtime = StepRuntime(start_ns=10_000 * NS_PER_S)
    notes = runtime.note_hops(1_000)
    cell = runtime.populate("executor", Probe, {"script": Script()})
    stages = ExecutorStages(Context(cell, cell.next_life(), runtime))
    notes.decided(intent(key="k"), Cause("feeds/x", 0, 0), 0, 0)
    runtime.clock.now_ns += 7
    cell.utc_ns = lambda: TimestampNs(runtime.clock.now_ns + step_ns)

    for _ in range(2):  # once more, after a crash: since when is not known then
        stages.judged([Claim(intent=intent(key="k"), fingerprint="")])

    risk = [one.latency_ns for one in notes.take() if one.stage == "risk"]
    assert risk == [7, None]


def test_decisions_that_never_arrive_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.hops.CAPACITY", 10)
    notes = StageNotes(lambda: 5)
    for number in range(100):
        notes.decided(intent(key=str(number)), Cause("feeds/x", 0, 0), 0, 0)

    known = [number for number in range(100) if notes.decided_at(str(number)) == 5]
    assert len(known) <= 20
    assert known[-10:] == list(range(90, 100))
