"""Every actor test runs on both runtimes, but for these, each for its reason."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ASKED_FOR = re.compile(r"\bStepRuntime\(|\bsteps: World\b|\bstepped: Make\b")

SCHEDULES = {
    "test_a_planted_bug_is_found",
    "test_an_absence_from_before_a_send_is_no_proof_and_the_model_would_see_it",
    "test_an_order_that_left_before_a_commit_that_never_was_is_two_and_the_model_would_see_it",
    "TestOrderWorld",
}
"""Of an order's road, those that are marked `steps_only`."""

A_SPAN = (
    "how long a stop takes, which on threads is the machine's time, whoever moves the clock; "
    "and what is killed before its turn, which a thread may take at once"
)
BARE = "no actor runs, or one for a message at a time, whose times are counted to the nanosecond"
SEEDS = "each example is a schedule of its own"
ITSELF = "the runtime itself"

PLACES = {
    "test_cell.py": (3, BARE),
    "test_clean_errors.py": (2, BARE),
    "test_hops.py": (5, BARE),
    "test_last_mail.py": (1, A_SPAN),
    "test_runtime_steps.py": (10, ITSELF),
    "test_supervisor_model.py": (1, SEEDS),
    "test_supervisor_stopping.py": (4, A_SPAN),
    "test_supervisor_tree_model.py": (1, SEEDS),
    "test_turns.py": (2, ITSELF),
    "test_utc_offset.py": (1, BARE),
}
"""Elsewhere, where a runtime of steps is made or asked for by itself, how often, and why."""


def test_of_an_orders_road_no_other_runs_on_steps_alone(request: pytest.FixtureRequest) -> None:
    """Of those that this run has collected: all, where all are run."""
    marked = [one for one in request.session.items if one.get_closest_marker("steps_only")]

    alone = {one.nodeid.split("::")[1].split("[")[0] for one in marked}
    assert alone <= SCHEDULES


def test_each_that_is_left_out_is_there() -> None:
    text = (HERE / "test_order_world_model.py").read_text(encoding="utf-8")

    assert set(re.findall(r"^(?:def )?(test_\w+|Test\w+)", text, re.MULTILINE)) == SCHEDULES


def test_nowhere_else_is_a_runtime_of_steps_asked_for_more_often() -> None:
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(HERE.rglob("test_*.py"))}
    found = {file.name: len(ASKED_FOR.findall(text)) for file, text in texts.items()}

    assert {name: count for name, count in found.items() if count} == {
        name: count for name, (count, _) in PLACES.items()
    }
