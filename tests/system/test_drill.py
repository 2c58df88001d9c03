"""The crash rehearsal, played: a few cases in every run, the whole matrix under stress."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from decisions.drill import full_cases, parse_case, quick_cases
from decisions.drill_cancel import full_cancel_cases
from decisions.drill_exit import full_exit_cases
from decisions.drill_replace import full_replace_cases
from decisions.drill_stop import full_stop_cases
from ops.drill_case import find_baseline
from ops.drill_cases import AnyCase
from ops.drill_life import Nursery
from ops.drill_play import play
from ops.drill_setting import Baseline
from tests.system.conftest import STRESS
from tests.system.drilling import JOBS, setting_of

MATRIX_JOBS = 8
SMOKE = (
    "intent_told/none/strategy_crash",
    "intent_told/none/executor_crash",
    "before_claim/reset_after/kill",
    "past_fence/reset_after/kill",
    "answer_pending/hang_after/kill",
    "before_outcome/reset_after/kill",
    "find_answered/html_body/executor_crash",
    "restart_asked/reset_after/kill",
)
REFUSED = (
    "answer_received/key_revoked/executor_crash",
    "answer_received/clock_refused/executor_crash",
)
LIMITS = """
name = "mine"
[feed]
type = "demo"
symbols = ["ETH/USDT", "BTC/USDT"]
[[strategy]]
id = "one"
uses = "ema_cross"
symbol = "ETH/USDT"
params = { fast = 5, slow = 15 }
[[strategy]]
id = "two"
uses = "sma_cross"
symbol = "BTC/USDT"
params = { fast = 5, slow = 15 }
[risk]
max_orders_per_minute = 1
"""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as one:
        yield one


@pytest.fixture(scope="module")
def baseline(nursery: Nursery) -> Baseline:
    return find_baseline(setting_of(nursery))


@pytest.mark.slow
def test_an_order_that_is_struck_is_neither_doubled_nor_lost(
    nursery: Nursery, baseline: Baseline
) -> None:
    cases = [parse_case(text) for text in SMOKE]

    results = list(play(setting_of(nursery), baseline, cases, JOBS))

    assert {result.case: result.problems for result in results} == dict.fromkeys(SMOKE, ())
    assert {(result.at_exchange, result.state) for result in results} == {(1, "filled")}


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
def test_what_the_exchange_refuses_is_rejected_and_a_key_that_it_refuses_halts(
    nursery: Nursery, baseline: Baseline, case: str
) -> None:
    (result,) = play(setting_of(nursery), baseline, [parse_case(case)], 1)

    assert (result.problems, result.at_exchange, result.state) == ((), 0, "rejected")


@pytest.mark.slow
def test_the_users_own_strategies_and_limits_are_rehearsed(
    nursery: Nursery, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(LIMITS)
    setting = setting_of(nursery, path)
    baseline = find_baseline(setting)

    (result,) = play(setting, baseline, [parse_case("answer_received/none/executor_crash")], 1)

    assert len(baseline.sent) > 2
    assert result.problems == ()


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not STRESS, reason="a full matrix takes a quarter of an hour to half an hour")
@pytest.mark.parametrize(
    "cases",
    [full_cancel_cases(), full_stop_cases(), full_replace_cases(), full_exit_cases()],
    ids=["cancels", "stops", "replacements", "exits"],
)
def test_the_full_matrix_of(nursery: Nursery, cases: Sequence[AnyCase]) -> None:
    nothing = Baseline(target=None, sent=frozenset())
    results = list(play(setting_of(nursery), nothing, cases, MATRIX_JOBS))
    sys.stdout.write(f"{len(results)} cases\n")

    assert {result.case: result.problems for result in results if not result.passed} == {}
    assert len(results) == len(cases)


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not STRESS, reason="the full matrix takes half an hour")
def test_the_full_matrix(nursery: Nursery, baseline: Baseline) -> None:
    cases = full_cases()
    results = list(play(setting_of(nursery), baseline, cases, MATRIX_JOBS))
    sys.stdout.write(f"{len(results)} cases, of which {len(quick_cases())} are the quick ones\n")

    assert {result.case: result.problems for result in results if not result.passed} == {}
    assert len(results) == len(cases)
