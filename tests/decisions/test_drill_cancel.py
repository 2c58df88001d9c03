"""The crash rehearsal's cases of halts and cancels."""

from collections import Counter

import pytest

from decisions.drill import Blow
from decisions.drill_cancel import (
    CANCEL_FAULTS,
    CANCEL_POINTS,
    FEW_POINTS,
    ROADS,
    CancelCase,
    CancelPoint,
    Kind,
    Road,
    full_cancel_cases,
    is_cancel_possible,
    parse_cancel_case,
    quick_cancel_cases,
)
from decisions.drill_faults import ASKED_INTO, FAULTS, OF_PLACING

FULL = full_cancel_cases()
BLOWS = {Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG}
AT_MOST = {Blow.NONE: 2, Blow.KILL: 3, Blow.EXECUTOR_CRASH: 3, Blow.EXECUTOR_HANG: 6}
"""How many cases there are of each blow under a fault that is played at few points."""


def test_every_point_has_a_sentence_and_lies_on_a_road() -> None:
    assert set(CANCEL_POINTS) == set(CancelPoint)
    assert {point for points in ROADS.values() for point in points} == set(CancelPoint)


def test_the_sizes_are_what_the_documents_say() -> None:
    assert (len(quick_cancel_cases()), len(FULL)) == (9, 2929)


def test_a_process_stands_still_once_at_every_point_of_both_roads() -> None:
    frozen = [(case.road, case.point) for case in FULL if case.blow is Blow.FREEZE]

    assert sorted(frozen) == sorted((road, point) for road in Road for point in ROADS[road])


def test_no_case_is_played_twice() -> None:
    assert len(set(FULL)) == len(FULL)


def test_the_quick_cases_are_of_the_full_ones() -> None:
    assert set(quick_cancel_cases()) <= set(FULL)


def test_the_quick_cases_go_both_roads_and_let_every_blow_fall() -> None:
    quick = quick_cancel_cases()

    assert {case.road for case in quick} == set(Road)
    assert {case.blow for case in quick} == {Blow.NONE, *BLOWS}


def test_every_request_fault_of_a_placement_strikes_a_cancel_too() -> None:
    assert set(FAULTS) - OF_PLACING <= set(CANCEL_FAULTS)


@pytest.mark.parametrize("fault", sorted(FEW_POINTS))
def test_what_orders_meet_at_few_points_is_killed_at_where_a_cancels_answer_is_read(
    fault: str,
) -> None:
    of_it = [case for case in FULL if case.fault == fault]

    assert CancelCase(Road.HALT, CancelPoint.CANCEL_REPLIED, fault, Blow.KILL) in of_it
    struck = Counter(case.blow for case in of_it)
    assert struck <= Counter(AT_MOST), "not everywhere"


@pytest.mark.parametrize("fault", sorted(FEW_POINTS))
def test_under_what_orders_meet_at_few_points_the_executor_hangs_in_a_halt_wherever_it_waits(
    fault: str,
) -> None:
    points = {CancelPoint.CANCEL_PENDING, CancelPoint.CANCEL_REPLIED, CancelPoint.CANCEL_SHOWN}
    points |= {CancelPoint.FIND_ASKED, CancelPoint.FIND_ANSWERED}
    hung = [CancelCase(Road.HALT, point, fault, Blow.EXECUTOR_HANG) for point in points]

    assert {case for case in hung if is_cancel_possible(case)} == {*hung} & {*FULL}


@pytest.mark.parametrize("fault", sorted(ASKED_INTO))
def test_an_executor_that_crashes_where_it_asks_leaves_a_successor_that_meets_the_fault(
    fault: str,
) -> None:
    for point in (CancelPoint.CANCEL_SHOWN, CancelPoint.FIND_ASKED, CancelPoint.FIND_ANSWERED):
        assert CancelCase(Road.HALT, point, fault, Blow.EXECUTOR_CRASH) in FULL


@pytest.mark.parametrize("fault", [name for name in CANCEL_FAULTS if name not in FEW_POINTS])
def test_from_the_cancel_to_the_proof_a_halt_is_struck_everywhere_by_everyone(fault: str) -> None:
    points = ROADS[Road.HALT]
    first, last = points.index(CancelPoint.CANCEL_HANDED), points.index(CancelPoint.PROOF_TOLD)

    for point in points[first : last + 1]:
        possible = point is not CancelPoint.CANCEL_PENDING or CANCEL_FAULTS[fault] is Kind.WAIT
        of_it = [case for case in FULL if (case.road, case.point) == (Road.HALT, point)]
        struck = {case.blow for case in of_it if case.fault == fault}
        assert (struck >= BLOWS) is possible


@pytest.mark.parametrize("road", list(Road))
def test_every_point_of_a_road_is_struck_by_everyone(road: Road) -> None:
    for point in ROADS[road]:
        of_it = [case for case in FULL if (case.road, case.point) == (road, point)]
        assert {case.blow for case in of_it} >= BLOWS
        assert {case.fault for case in of_it} >= {"none"} or point is CancelPoint.CANCEL_PENDING


def test_under_every_fault_each_road_is_gone_without_a_blow_too() -> None:
    undisturbed = {(case.road, case.fault) for case in FULL if case.blow is Blow.NONE}

    lists = {name for name, kind in CANCEL_FAULTS.items() if kind is Kind.LIST}
    assert {fault for road, fault in undisturbed if road is Road.HALT} == set(CANCEL_FAULTS)
    assert {fault for road, fault in undisturbed if road is Road.CANCEL} == (
        set(CANCEL_FAULTS) - lists
    )


@pytest.mark.parametrize("case", quick_cancel_cases(), ids=str)
def test_a_case_is_read_as_it_is_written(case: CancelCase) -> None:
    assert parse_cancel_case(str(case)) == case
    assert is_cancel_possible(case)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("proved/none/kill", "is not ROAD/POINT/FAULT/BLOW"),
        ("hold/proved/none/kill", "'hold' is none of: halt, cancel"),
        ("halt/person_answered/none/kill", "'person_answered' is none of: halt_told, "),
        ("cancel/proved/none/kill", "'proved' is none of: cancel_ordered, "),
        ("halt/proved/nothing/kill", "'nothing' is none of: none, reset_after"),
        ("halt/proved/none/feed_crash", "'feed_crash' is none of: none, kill"),
        ("halt/cancel_pending/reset_after/kill", "does not surely come by that point"),
        ("cancel/cancel_handed/list_html/kill", "does not surely come by that point"),
        ("halt/proved/none/none", "does not surely come by that point"),
    ],
)
def test_a_case_that_cannot_be_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_cancel_case(text)
