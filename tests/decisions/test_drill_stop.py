"""The crash rehearsal's cases of stops."""

import pytest

from decisions.drill import LEDGER_BLOWS, STILL, Blow, Point
from decisions.drill_faults import FAULTS, Outcome
from decisions.drill_stop import (
    ROAD_POINTS,
    STOP_COMMITTED,
    STOP_FAULTS,
    STOP_POINTS,
    StopCase,
    StopPoint,
    full_stop_cases,
    is_stop_possible,
    lost_ledger_stop_cases,
    parse_stop_case,
    quick_lost_ledger_stop_cases,
    quick_stop_cases,
)

FULL = full_stop_cases()
BLOWS = {Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG, Blow.FREEZE}


def test_every_point_has_a_sentence_and_lies_on_the_road() -> None:
    assert set(STOP_POINTS) == set(StopPoint)
    assert {*ROAD_POINTS} == {*StopPoint, *Point} - {Point.INTENT_TOLD}


def test_no_two_points_are_called_alike() -> None:
    assert len({str(point) for point in ROAD_POINTS}) == len(ROAD_POINTS)


def test_the_sizes_are_what_the_documents_say() -> None:
    assert (len(quick_stop_cases()), len(FULL)) == (12, 987)


def test_no_case_is_played_twice() -> None:
    assert len(set(FULL)) == len(FULL)


def test_the_quick_cases_are_of_the_full_ones() -> None:
    assert set(quick_stop_cases()) <= set(FULL)


@pytest.mark.parametrize("point", ROAD_POINTS, ids=str)
def test_every_point_is_struck_by_everyone(point: StopPoint | Point) -> None:
    struck = {case.blow for case in FULL if case.point is point}

    assert struck >= BLOWS


def test_every_kind_of_outcome_and_every_blow_is_rehearsed() -> None:
    assert {STOP_FAULTS[case.fault] for case in FULL} == set(FAULTS.values()) == set(Outcome)
    assert {case.blow for case in FULL} == set(Blow) - {*LEDGER_BLOWS, *STILL}
    assert {case.fault for case in FULL if case.blow is Blow.NONE} == set(STOP_FAULTS)


def test_a_ledger_is_lost_at_every_point_and_with_every_commit() -> None:
    cases = lost_ledger_stop_cases()

    assert len(set(cases)) == len(cases) == 141
    assert {case.point for case in cases if case.blow is Blow.LEDGER_LOST} == set(ROAD_POINTS)
    unanswered = {case.point for case in cases if case.blow is Blow.COMMIT_UNANSWERED}
    assert unanswered == STOP_COMMITTED
    assert set(quick_lost_ledger_stop_cases()) <= set(cases)
    assert {case.blow for case in cases} == set(LEDGER_BLOWS)
    assert {STOP_FAULTS[case.fault] for case in cases} == set(Outcome)


@pytest.mark.parametrize("case", [*quick_stop_cases(), *quick_lost_ledger_stop_cases()], ids=str)
def test_a_case_is_read_as_it_is_written(case: StopCase) -> None:
    assert parse_stop_case(str(case)) == case
    assert is_stop_possible(case)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stop/touched/none", "is not stop/POINT/FAULT/BLOW"),
        ("stop/intent_told/none/kill", "'intent_told' is none of: before_declared, "),
        ("stop/touched/query_html/kill", "'query_html' is none of: none, reset_after"),
        ("stop/touched/none/die", "'die' is none of: none, kill"),
        ("stop/after_acted/none/kill", "does not surely come by that point"),
        ("stop/after_retried/reset_after/kill", "does not surely come by that point"),
        ("stop/find_asked/halted/kill", "does not surely come by that point"),
        ("stop/after_ended/none/none", "does not surely come by that point"),
    ],
)
def test_a_case_that_cannot_be_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_stop_case(text)
