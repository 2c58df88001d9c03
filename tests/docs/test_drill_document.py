"""The drill's page names every point and every fault there is, and says how many cases."""

from pathlib import Path

import pytest

from decisions.drill import OF_OTHERS, POINTS, full_cases
from decisions.drill_cancel import (
    CANCEL_FAULTS,
    CANCEL_POINTS,
    FEW_POINTS,
    ROADS,
    CancelPoint,
    full_cancel_cases,
)
from decisions.drill_exit import EXIT_FAULTS, EXIT_POINTS, full_exit_cases, lost_ledger_exit_cases
from decisions.drill_faults import ASKED_INTO, EVERYWHERE, FAULTS, SENT_INTO
from decisions.drill_replace import FIRST_POINTS, SECOND_FAULTS, full_replace_cases, name_of
from decisions.drill_stop import STOP_FAULTS, STOP_POINTS, full_stop_cases
from ops.arguments_rehearse import _FULL
from ops.drill_cases import chosen_cases

TEXT = (Path(__file__).parents[2] / "docs" / "drill.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("point", "sentence"), POINTS.items())
def test_a_point_is_told_as_in_the_code(point: str, sentence: str) -> None:
    assert f"| `{point}` | {sentence} |" in TEXT


@pytest.mark.parametrize(("point", "sentence"), CANCEL_POINTS.items())
def test_a_point_of_a_cancel_is_told_with_its_road(point: str, sentence: str) -> None:
    roads = ", ".join(f"`{road}`" for road, points in ROADS.items() if point in points)

    assert f"| `{point}` | {roads} | {sentence} |" in TEXT


@pytest.mark.parametrize(("point", "sentence"), STOP_POINTS.items())
def test_a_point_of_a_stop_is_told_as_in_the_code(point: str, sentence: str) -> None:
    assert f"| `{point}` | {sentence} |" in TEXT


@pytest.mark.parametrize("point", FIRST_POINTS, ids=name_of)
def test_a_point_of_a_first_order_is_one_of_a_cancel(point: CancelPoint) -> None:
    assert f"`{name_of(point)}`" in TEXT
    assert point in CANCEL_POINTS


@pytest.mark.parametrize(
    "fault", sorted({*FAULTS, *CANCEL_FAULTS, *STOP_FAULTS, *SECOND_FAULTS, *EXIT_FAULTS})
)
def test_a_fault_is_named(fault: str) -> None:
    assert f"`{fault}`" in TEXT


@pytest.mark.parametrize(("point", "sentence"), EXIT_POINTS.items())
def test_a_point_of_an_exit_is_told_as_in_the_code(point: str, sentence: str) -> None:
    assert f"| `{point}` | {sentence} |" in TEXT


def test_the_counts_are_those_of_the_code() -> None:
    lives, cancels, stops = len(full_cases()), len(full_cancel_cases()), len(full_stop_cases())
    replaced, exits = len(full_replace_cases()), len(full_exit_cases())
    everything = chosen_cases(full=True, in_database=False)

    assert f"{len(chosen_cases(full=False, in_database=False))} cases, the default" in TEXT
    assert len(everything) == lives + cancels + stops + replaced + exits
    assert (
        f"{len(everything)} cases: {lives} of an order's life, {cancels} of cancels, {stops} of"
        f" stops, {replaced} of replacements and {exits} of exits"
    ) in TEXT
    assert f"and {len(lost_ledger_exit_cases())} of an exit" in TEXT


def test_what_is_in_the_matrix_is_counted_as_in_the_code() -> None:
    few = {*SENT_INTO, *ASKED_INTO}

    assert (
        f"at each of the {len(POINTS)} [points](#points), under each of the {len(EVERYWHERE)}"
        in TEXT
    )
    assert f"under the {len(few)} faults that are played [at few points]" in TEXT
    assert f"under each of the {len(FAULTS)} once with nobody dying" in TEXT
    assert f"at three points ({', '.join(f'`{point}`' for point in OF_OTHERS)})" in TEXT
    assert f"Of the {len(CANCEL_FAULTS) - len(FEW_POINTS)} other faults" in TEXT


def test_the_help_says_who_dies_where() -> None:
    said = " ".join(_FULL.split())

    assert (
        f"strategies, feed and metrics die at {len(OF_OTHERS)} of an order's {len(POINTS)}" in said
    )
