"""The crash rehearsal's cases of exits that are decided while their entry still fills."""

import pytest

from decisions.drill import LEDGER_BLOWS, STILL, Blow, Point
from decisions.drill_exit import (
    EXIT_COMMITTED,
    EXIT_FAULTS,
    EXIT_POINTS,
    PLACES,
    ExitCase,
    ExitPoint,
    Place,
    full_exit_cases,
    is_exit_possible,
    lost_ledger_exit_cases,
    parse_exit_case,
    quick_exit_cases,
)
from decisions.drill_faults import FAULTS, Outcome

FULL, LOST = full_exit_cases(), lost_ledger_exit_cases()
BLOWS = {Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG, Blow.FREEZE}


def test_every_point_has_a_sentence_and_lies_on_the_road() -> None:
    assert set(EXIT_POINTS) == set(ExitPoint)
    assert {place.point for place in PLACES if not place.of_rest} == {*ExitPoint, *Point}
    assert {place.point for place in PLACES if place.of_rest} == {*Point} - {Point.INTENT_TOLD}


def test_no_two_places_are_called_alike() -> None:
    assert len({str(place) for place in PLACES}) == len(PLACES)


def test_the_sizes_are_what_the_documents_say() -> None:
    assert (len(quick_exit_cases()), len(FULL), len(LOST)) == (10, 965, 23)


def test_no_case_is_played_twice() -> None:
    assert len(set(FULL)) == len(FULL)
    assert len(set(LOST)) == len(LOST)


def test_the_quick_cases_are_of_the_full_ones() -> None:
    assert set(quick_exit_cases()) <= set(FULL)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_every_place_is_struck_by_everyone(place: Place) -> None:
    assert {case.blow for case in FULL if case.place == place} >= BLOWS


def test_every_kind_of_outcome_and_every_blow_is_rehearsed() -> None:
    assert {EXIT_FAULTS[case.fault] for case in FULL} == set(FAULTS.values()) == set(Outcome)
    assert {case.blow for case in FULL} == set(Blow) - {*LEDGER_BLOWS, *STILL}
    assert {case.fault for case in FULL if case.blow is Blow.NONE} == set(EXIT_FAULTS)


def test_a_ledger_is_lost_with_every_commit() -> None:
    assert {case.blow for case in LOST} == set(LEDGER_BLOWS)
    unanswered = {case.place.point for case in LOST if case.blow is Blow.COMMIT_UNANSWERED}
    assert unanswered == EXIT_COMMITTED


@pytest.mark.parametrize("case", [*quick_exit_cases(), *LOST], ids=str)
def test_a_case_is_read_as_it_is_written(case: ExitCase) -> None:
    assert parse_exit_case(str(case)) == case
    assert is_exit_possible(case)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("exit/after_noted/none", "is not exit/POINT/FAULT/BLOW"),
        ("exit/rest_intent_told/none/kill", "'rest_intent_told' is none of: intent_told, "),
        ("exit/after_noted/query_html/kill", "'query_html' is none of: none, reset_after"),
        ("exit/after_noted/none/die", "'die' is none of: none, kill"),
        ("exit/after_claim/none/none", "does not surely come by that point"),
        ("exit/rest_find_asked/none/kill", "does not surely come by that point"),
    ],
)
def test_a_case_that_cannot_be_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_exit_case(text)
