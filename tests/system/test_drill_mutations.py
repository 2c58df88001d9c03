"""Bugs of the kind that doubles or loses orders, planted: the quick cases must see each."""

import sys
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.drill import parse_case, quick_cases
from ops.drill import play
from ops.drill_case import find_baseline
from tests.system.test_drill import JOBS, setting_of

MUTANTS = Path(__file__).with_name("drill_mutants.py")
CAUGHT_BY = {
    "send_before_commit": ("before_claim/reset_after/kill", "2 orders"),
    "resend_without_asking": ("answer_received/reset_after/kill", "2 orders"),
    "unknown_is_rejected": ("intent_told/server_error_after/none", "the exchange has it"),
}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("bug", list(CAUGHT_BY))
def test_a_planted_bug_is_caught_by_a_quick_case(bug: str) -> None:
    text, problem = CAUGHT_BY[bug]
    case = parse_case(text)
    assert case in quick_cases()
    healthy = setting_of()
    sick = msgspec.structs.replace(
        healthy, command=(sys.executable, "-P", str(MUTANTS), bug), settle_limit_s=8
    )
    baseline = find_baseline(healthy)

    (good,) = play(healthy, baseline, [case], JOBS)
    (bad,) = play(sick, baseline, [case], JOBS)

    assert good.problems == ()
    assert any(problem in one for one in bad.problems), bad.problems
