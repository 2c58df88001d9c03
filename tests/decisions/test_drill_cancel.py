"""The crash rehearsal's cases of halts and cancels."""

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
from decisions.drill_faults import FAULTS, OF_PLACING

FULL = full_cancel_cases()
BLOWS = {Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG}


def test_every_point_has_a_sentence_and_lies_on_a_road() -> None:
    assert set(CANCEL_POINTS) == set(CancelPoint)
    assert {point for points in ROADS.values() for point in points} == set(CancelPoint)


def test_the_sizes_are_what_the_documents_say() -> None:
    assert (len(quick_cancel_cases()), len(FULL)) == (9, 2696)


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
    assert len(of_it) < 8, "not everywhere"


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
