"""Bugs of the kind that doubles or loses orders, planted: the quick cases must see each."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from ops.drill_case import find_baseline
from ops.drill_cases import chosen_cases, parse_any
from ops.drill_life import Nursery
from ops.drill_play import play
from ops.drill_setting import Baseline
from tests.system.drilling import JOBS, MUTANTS, setting_of

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
STOPS_CAUGHT_BY = {
    "exit_sent_before_its_commit": (
        "stop/before_claim/none/kill",
        "0.001 was bought, 0.00198 is sold",
    ),
    "stop_is_done_before_its_exit": (
        "stop/touched/too_many_requests/none",
        "the stop: it is done, and 0.00100000 of its entry is left",
    ),
    "stop_is_armed_again_by_a_restart": (
        "stop/answer_received/reset_after/kill",
        "does not know this exit",
    ),
}
REPLACEMENTS_CAUGHT_BY = {
    "second_is_sent_without_waiting": (
        "replace/intent_told/cancel_partial_race/none",
        "was open when",
    ),
    "what_the_first_filled_is_sent_again": (
        "replace/intent_told/cancel_partial_race/none",
        "0.001 were sent, and 0.00050 of 0.001 were filled before",
    ),
    "unknown_cancel_is_canceled": (
        "replace/intent_told/server_error_before/none",
        "was open when",
    ),
}
EXITS_CAUGHT_BY = {
    "what_waits_is_not_noted": ("exit/before_filled/none/kill", "is in no row"),
    "the_rest_is_forgotten": (
        "exit/after_filled/none/executor_hang",
        "not all was left, and nobody is told: 0.003 was bought, 0.00099 sold",
    ),
    "all_is_sold_at_once": (
        "exit/after_filled/none/executor_hang",
        "0 was bought, 0.003",
    ),
}
AT_ONCE = STOPS_CAUGHT_BY | REPLACEMENTS_CAUGHT_BY | EXITS_CAUGHT_BY
CASES = [parse_any(text) for text, _ in [*CAUGHT_BY.values(), *AT_ONCE.values()]]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as one:
        yield one


@pytest.fixture(scope="module")
def baseline(nursery: Nursery) -> Baseline:
    return find_baseline(setting_of(nursery))


def test_the_cases_that_catch_them_are_quick_ones() -> None:
    assert set(CASES) <= {*chosen_cases(full=False, in_database=False)}


@pytest.mark.slow
def test_without_a_bug_the_cases_pass(nursery: Nursery, baseline: Baseline) -> None:
    results = list(play(setting_of(nursery), baseline, CASES, JOBS))

    assert [result.problems for result in results] == [()] * len(CASES)


@pytest.mark.slow
@pytest.mark.parametrize("bug", list(CAUGHT_BY))
def test_a_planted_bug_is_caught_by_a_quick_case(bug: str, baseline: Baseline) -> None:
    text, problem = CAUGHT_BY[bug]

    problems = _problems_of(bug, text, baseline)

    assert any(problem in one for one in problems), problems


@pytest.mark.slow
def test_a_planted_bug_of_another_road_is_caught_by_a_quick_case() -> None:
    nothing = Baseline(target=None, sent=frozenset())
    with ThreadPoolExecutor() as pool:  # each takes a second of work and three of waiting
        found = {
            bug: pool.submit(_problems_of, bug, text, nothing) for bug, (text, _) in AT_ONCE.items()
        }

    for bug, (_, problem) in AT_ONCE.items():
        problems = found[bug].result()
        assert any(problem in one for one in problems), (bug, problems)


def _problems_of(bug: str, text: str, baseline: Baseline) -> tuple[str, ...]:
    with Nursery((sys.executable, "-P", str(MUTANTS), bug)) as sick:
        setting = setting_of(sick)
        if bug == "the_rest_is_forgotten":  # and nothing more comes of it
            setting = msgspec.structs.replace(setting, settle_limit_s=12)
        if text.count("/") == 2:  # a cancel that went wrong is seen at once
            setting = msgspec.structs.replace(setting, settle_limit_s=5)
        (result,) = play(setting, baseline, [parse_any(text)], 1)
    return result.problems
