"""The crash rehearsal's cases of replacements."""

import pytest

from decisions.drill import Blow, Point
from decisions.drill_cancel import CancelPoint, Kind
from decisions.drill_faults import Outcome
from decisions.drill_replace import (
    FIRST_FAULTS,
    REPLACE_FAULTS,
    ROAD_POINTS,
    SECOND_FAULTS,
    ReplaceCase,
    full_replace_cases,
    is_replace_possible,
    name_of,
    parse_replace_case,
    quick_replace_cases,
)

FULL = full_replace_cases()
BLOWS = {Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG, Blow.FREEZE}


def test_no_two_points_are_called_alike() -> None:
    assert len({name_of(point) for point in ROAD_POINTS}) == len(ROAD_POINTS)


def test_the_sizes_are_what_the_documents_say() -> None:
    assert (len(quick_replace_cases()), len(FULL)) == (9, 1429)


def test_no_case_is_played_twice() -> None:
    assert len(set(FULL)) == len(FULL)


def test_the_quick_cases_are_of_the_full_ones() -> None:
    assert set(quick_replace_cases()) <= set(FULL)


@pytest.mark.parametrize("point", ROAD_POINTS, ids=name_of)
def test_every_point_is_struck_by_everyone(point: CancelPoint | Point) -> None:
    assert {case.blow for case in FULL if case.point is point} >= BLOWS


def test_every_fault_strikes_by_itself_and_with_a_blow() -> None:
    assert {case.fault for case in FULL if case.blow is Blow.NONE} == set(REPLACE_FAULTS)
    assert {case.fault for case in FULL if case.blow is Blow.KILL} == set(REPLACE_FAULTS)


def test_both_orders_meet_every_kind_of_fault() -> None:
    assert set(FIRST_FAULTS.values()) == set(Kind) - {Kind.LIST, Kind.PLACING}
    assert set(SECOND_FAULTS.values()) == set(Outcome)


@pytest.mark.parametrize("case", FULL[::7], ids=str)
def test_a_case_is_read_as_it_is_written(case: ReplaceCase) -> None:
    assert parse_replace_case(str(case)) == case
    assert is_replace_possible(case)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("replace/intent_told/none", "is not replace/POINT/FAULT/BLOW"),
        ("replace/touched/none/kill", "'touched' is none of: intent_told, "),
        ("replace/intent_told/list_html/kill", "'list_html' is none of: none, reset_after"),
        ("replace/intent_told/none/die", "'die' is none of: none, kill"),
        ("replace/first_cancel_pending/none/kill", "does not surely come by that point"),
        ("replace/first_find_asked/none/kill", "does not surely come by that point"),
        ("replace/after_claim/filled_unseen/kill", "does not surely come by that point"),
        ("replace/before_resend/second_reset_after/kill", "does not surely come by that point"),
        ("replace/after_claim/none/none", "does not surely come by that point"),
    ],
)
def test_a_case_that_cannot_be_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_replace_case(text)
