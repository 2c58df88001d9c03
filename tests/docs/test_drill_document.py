"""The drill's page names every point and every fault there is, and says how many cases."""

from pathlib import Path

import pytest

from decisions.drill import FAULTS, POINTS, full_cases, quick_cases
from decisions.drill_cancel import (
    CANCEL_FAULTS,
    CANCEL_POINTS,
    ROADS,
    CancelPoint,
    full_cancel_cases,
    quick_cancel_cases,
)
from decisions.drill_replace import (
    FIRST_POINTS,
    SECOND_FAULTS,
    full_replace_cases,
    name_of,
    quick_replace_cases,
)
from decisions.drill_stop import (
    STOP_FAULTS,
    STOP_POINTS,
    full_stop_cases,
    quick_stop_cases,
)

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


@pytest.mark.parametrize("fault", sorted({*FAULTS, *CANCEL_FAULTS, *STOP_FAULTS, *SECOND_FAULTS}))
def test_a_fault_is_named(fault: str) -> None:
    assert f"`{fault}`" in TEXT


def test_the_counts_are_those_of_the_code() -> None:
    lives, cancels, stops = len(full_cases()), len(full_cancel_cases()), len(full_stop_cases())
    replaced = len(full_replace_cases())
    quick = len(quick_cases()) + len(quick_cancel_cases()) + len(quick_stop_cases())

    assert f"{quick + len(quick_replace_cases())} cases, the default" in TEXT
    all_of_them = f"{lives} of an order's life, {cancels} of cancels, {stops} of stops"
    told = (
        f"{lives + cancels + stops + replaced} cases: {all_of_them} and {replaced} of replacements"
    )
    assert told in TEXT
