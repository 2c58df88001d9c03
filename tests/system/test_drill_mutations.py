"""Bugs of the kind that doubles or loses orders, planted: the quick cases must see each."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.drill import quick_cases
from decisions.drill_cancel import quick_cancel_cases
from ops.drill import parse_any, play
from ops.drill_case import Baseline, find_baseline
from ops.drill_life import Nursery
from tests.system.test_drill import JOBS, setting_of

MUTANTS = Path(__file__).with_name("drill_mutants.py")
CAUGHT_BY = {
    "send_before_commit": ("before_claim/reset_after/kill", "2 orders"),
    "resend_without_asking": ("answer_received/reset_after/kill", "2 orders"),
    "unknown_is_rejected": ("intent_told/server_error_after/none", "the exchange has it"),
    "unknown_cancel_is_canceled": (
        "cancel/cancel_ordered/server_error_before/none",
        "told that it ended",
    ),
    "racing_fill_is_dropped": (
        "halt/after_end/cancel_partial_race/executor_crash",
        "filled 0.00050 at the exchange, 0 in the ledger",
    ),
    "halt_is_proved_without_asking": (
        "halt/halt_told/server_error_before/none",
        "the halt calls itself proved, and ",
    ),
}
CASES = [parse_any(text) for text, _ in CAUGHT_BY.values()]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as one:
        yield one


@pytest.fixture(scope="module")
def baseline(nursery: Nursery) -> Baseline:
    return find_baseline(setting_of(nursery))


def test_the_cases_that_catch_them_are_quick_ones() -> None:
    assert set(CASES) <= {*quick_cases(), *quick_cancel_cases()}


@pytest.mark.slow
def test_without_a_bug_the_cases_pass(nursery: Nursery, baseline: Baseline) -> None:
    results = list(play(setting_of(nursery), baseline, CASES, JOBS))

    assert [result.problems for result in results] == [()] * len(CASES)


@pytest.mark.slow
@pytest.mark.parametrize("bug", list(CAUGHT_BY))
def test_a_planted_bug_is_caught_by_a_quick_case(bug: str, baseline: Baseline) -> None:
    text, problem = CAUGHT_BY[bug]
    with Nursery((sys.executable, "-P", str(MUTANTS), bug)) as sick:
        setting = setting_of(sick)
        if text.count("/") == 2:  # a cancel that went wrong is seen at once
            setting = msgspec.structs.replace(setting, settle_limit_s=5)
        (result,) = play(setting, baseline, [parse_any(text)], 1)

    assert any(problem in one for one in result.problems), result.problems
