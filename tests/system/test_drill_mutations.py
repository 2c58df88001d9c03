"""Bugs of the kind that doubles or loses orders, planted: the quick cases must see each."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.drill import parse_case, quick_cases
from ops.drill import play
from ops.drill_case import Baseline, find_baseline
from ops.drill_life import Nursery
from tests.system.test_drill import JOBS, setting_of

MUTANTS = Path(__file__).with_name("drill_mutants.py")
CAUGHT_BY = {
    "send_before_commit": ("before_claim/reset_after/kill", "2 orders"),
    "resend_without_asking": ("answer_received/reset_after/kill", "2 orders"),
    "unknown_is_rejected": ("intent_told/server_error_after/none", "the exchange has it"),
}
CASES = [parse_case(text) for text, _ in CAUGHT_BY.values()]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as one:
        yield one


@pytest.fixture(scope="module")
def baseline(nursery: Nursery) -> Baseline:
    return find_baseline(setting_of(nursery))


def test_the_cases_that_catch_them_are_quick_ones() -> None:
    assert set(CASES) <= set(quick_cases())


@pytest.mark.slow
def test_without_a_bug_the_cases_pass(nursery: Nursery, baseline: Baseline) -> None:
    results = list(play(setting_of(nursery), baseline, CASES, JOBS))

    assert [result.problems for result in results] == [(), (), ()]


@pytest.mark.slow
@pytest.mark.parametrize("bug", list(CAUGHT_BY))
def test_a_planted_bug_is_caught_by_a_quick_case(bug: str, baseline: Baseline) -> None:
    text, problem = CAUGHT_BY[bug]
    with Nursery((sys.executable, "-P", str(MUTANTS), bug)) as sick:
        setting = msgspec.structs.replace(setting_of(sick), settle_limit_s=5)
        (result,) = play(setting, baseline, [parse_case(text)], 1)

    assert any(problem in one for one in result.problems), result.problems
