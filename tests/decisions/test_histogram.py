import random
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from types import CodeType, FrameType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.histogram import FOLD_AT, RELATIVE_ERROR, LatencyHistogram, highest_in

latencies = st.lists(st.integers(0, 2**44 - 1), min_size=1, max_size=2_000)


def filled(values: list[int]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_an_empty_histogram_answers_zero() -> None:
    assert LatencyHistogram().summary() == {
        "count": 0, "max": 0, "p50": 0, "p95": 0, "p99": 0, "p999": 0,
    }  # fmt: skip
    assert LatencyHistogram().sum == 0


@pytest.mark.slow
@given(values=latencies, percent=st.floats(0, 100))
def test_a_percentile_is_off_by_no_more_than_it_says(values: list[int], percent: float) -> None:
    exact = sorted(values)[max(1, ceil(len(values) * percent / 100)) - 1]

    told = filled(values).percentile(percent)

    assert abs(told - exact) <= exact * RELATIVE_ERROR


@given(values=latencies)
def test_the_count_and_the_maximum_are_exact(values: list[int]) -> None:
    histogram = filled(values)

    assert histogram.count == len(values)
    assert histogram.max == histogram.percentile(100) == max(values)


@pytest.mark.slow
@given(one=latencies, other=latencies)
def test_two_merged_are_one_that_counted_all(one: list[int], other: list[int]) -> None:
    merged = filled(one)

    merged.merge(filled(other))

    assert merged.summary() == filled(one + other).summary()


@pytest.mark.slow
@given(values=latencies)
def test_asking_changes_nothing(values: list[int]) -> None:
    histogram = filled(values)

    assert histogram.summary() == histogram.summary()


def test_its_memory_does_not_grow_with_what_it_counts() -> None:
    histogram = filled([7, 2**50] * 50_000)

    assert len(histogram._buffer) + len(histogram._folded[-1].counts) < 2_100
    assert histogram.count == 100_000


def test_a_latency_beyond_five_hours_or_before_zero_is_counted_all_the_same() -> None:
    histogram = filled([-5, 2**60])

    assert histogram.count == 2
    assert histogram.percentile(50) == 0
    assert histogram.max == 2**60
    assert histogram.below([-7, 0, 2**60]) == [0, 1, 1]
    assert histogram.below([2**61]) == [2]


def test_two_digits_are_significant() -> None:
    assert RELATIVE_ERROR < 0.01


@pytest.mark.slow
@given(values=latencies)
def test_its_buckets_are_those_of_hdrhistogram(values: list[int]) -> None:
    hdrh = pytest.importorskip("hdrh.histogram", reason="hdrhistogram is not installed")
    oracle, expected = hdrh.HdrHistogram(1, 2**45, 2), Counter[int]()
    for value in values:
        oracle.record_value(value)
        expected[oracle.get_highest_equivalent_value(value)] += 1

    counts = filled(values).tallied()

    assert Counter({highest_in(bucket): n for bucket, n in counts.items()}) == expected
    assert oracle.get_total_count() == sum(counts.values())


@pytest.mark.slow
@given(values=latencies)
def test_the_sum_is_exact(values: list[int]) -> None:
    assert filled(values).sum == sum(values)


@given(one=latencies, other=latencies)
def test_another_process_merges_what_was_encoded(one: list[int], other: list[int]) -> None:
    merged = LatencyHistogram.decode(filled(one).encode())
    merged.merge(LatencyHistogram.decode(filled(other).encode()))

    assert merged.summary() == filled(one + other).summary()
    assert merged.encode() == filled(one + other).encode()


@pytest.mark.parametrize(
    "told", [(1, 1, [(2**40, 1)]), (1, 1, [(-1, 1)]), (1, 1, [(3, 2**63)]), (1, 1, 7), {}]
)
def test_what_no_histogram_has_encoded_is_refused(told: object) -> None:
    with pytest.raises(msgspec.DecodeError):
        LatencyHistogram.decode(msgspec.msgpack.encode(told))


def test_sixty_that_are_full_take_two_megabytes_at_most() -> None:
    """As many as a bot has: as Python's numbers they took six."""
    chance = random.Random(7)
    tracemalloc.start()
    try:
        made = [filled(_spread(chance, FOLD_AT)) for _ in range(60)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(one.count for one in made) == 60 * FOLD_AT
    assert held < 2_000_000


def _spread(chance: random.Random, count: int) -> list[int]:
    return [int(chance.lognormvariate(11, 1)) for _ in range(count)]


@given(before=latencies, after=latencies)
def test_what_came_since_a_copy_is_counted_apart(before: list[int], after: list[int]) -> None:
    histogram = filled(before)
    copy = histogram.copy()
    for value in after:
        histogram.record(value)

    since = histogram.since(copy)

    assert since.tallied() == filled(after).tallied()
    assert (since.count, since.sum) == (len(after), sum(after))
    assert max(after) <= since.max <= max(after) * (1 + RELATIVE_ERROR)


@pytest.mark.slow
@given(values=latencies, bounds=st.lists(st.integers(0, 2**44)).map(sorted))
def test_how_many_were_below_a_bound(values: list[int], bounds: list[int]) -> None:
    counts = filled(values).below(bounds)

    for bound, count in zip(bounds, counts, strict=True):
        assert count <= sum(value <= bound for value in values)
        assert count >= sum(value * (1 + RELATIVE_ERROR) <= bound for value in values)


def at_each_step_of(function: CodeType, act: Callable[[], object], do: Callable[[], object]) -> int:
    """Do something, and act before each instruction of a function it calls; say how many."""
    taken = 0

    def step(frame: FrameType, event: str, _: object) -> Any:
        nonlocal taken
        if frame.f_code is function:
            frame.f_trace_opcodes = True
            if event == "call" and sys.version_info[:2] == (3, 12):
                sys.settrace(step)  # 3.12 looks at the frame's wish only then
            if event == "opcode":
                sys.settrace(None)
                taken += 1
                act()
                sys.settrace(step)
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        do()
    finally:
        sys.settrace(before)
    return taken


FOLD = LatencyHistogram._fold.__code__


def waiting_in(histogram: LatencyHistogram) -> int:
    return len(histogram._buffer) - 1


def test_who_looks_at_any_step_of_a_fold_sees_all_there_is_once() -> None:
    values = [3, 900, 70_000, *range(FOLD_AT - 4)]
    histogram, seen = filled(values), set[tuple[int, ...]]()

    def look() -> None:
        view = histogram.view()
        seen.add((view.count, view.sum, view.max, *view.below([1_023])))

    histogram.append(5)
    steps = at_each_step_of(FOLD, look, histogram.fold_when_full)

    assert steps > 50
    assert waiting_in(histogram) == 0
    whole = [*values, 5]
    assert seen == {(FOLD_AT, sum(whole), 70_000, sum(value <= 1_023 for value in whole))}


def test_a_fold_at_any_step_of_a_look_takes_nothing_away() -> None:
    look = LatencyHistogram.view.__code__
    steps = at_each_step_of(look, lambda: None, LatencyHistogram().view)

    for at in range(steps):
        histogram, told = filled([7] * (FOLD_AT - 1)), list[int]()
        at_each_step_of(look, folding(histogram, at), partial(look_at, histogram, told))
        assert told[0] in (FOLD_AT - 1, FOLD_AT)
        assert not waiting_in(histogram)


@pytest.mark.parametrize("function", ["fold_when_full", "_fold"])
def test_what_others_append_at_any_step_of_a_fold_is_seen_at_once_and_stays(function: str) -> None:
    """A supervisor notes what an actor hangs on while that one, which comes back, may fold."""
    histogram, told = filled([7] * (FOLD_AT - 1)), list[int]()

    def append_and_look() -> None:
        histogram.append(9)
        told.append(histogram.view().count)

    histogram.append(7)
    code = getattr(LatencyHistogram, function).__code__
    steps = at_each_step_of(code, append_and_look, histogram.fold_when_full)

    assert told == list(range(FOLD_AT + 1, FOLD_AT + 1 + steps))
    assert (histogram.count, histogram.sum) == (FOLD_AT + steps, 7 * FOLD_AT + 9 * steps)


@pytest.mark.parametrize("function", ["fold_when_full", "_fold"])
def test_two_who_fold_at_once_count_nothing_twice_and_lose_nothing(function: str) -> None:
    """One that was given up folds on its way out, while its successor counts."""
    code, at = getattr(LatencyHistogram, function).__code__, 0
    while True:
        histogram, steps = filled([7] * (FOLD_AT - 1)), iter(range(1_000))
        histogram.append(7)
        fold_now = partial(fold_at, histogram, steps, at)
        if at >= at_each_step_of(code, fold_now, histogram.fold_when_full):
            break
        assert (histogram.count, histogram.sum) == (FOLD_AT, 7 * FOLD_AT)
        at += 1


def fold_at(histogram: LatencyHistogram, steps: Iterator[int], at: int) -> None:
    if next(steps) == at:
        histogram.fold_when_full()


def folding(histogram: LatencyHistogram, at: int) -> Callable[[], object]:
    steps = iter(range(1_000))
    return lambda: histogram.record(9) if next(steps) == at else None


def look_at(histogram: LatencyHistogram, told: list[int]) -> None:
    told.append(histogram.view().count)
