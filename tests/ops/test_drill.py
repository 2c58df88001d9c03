"""The parts of the crash rehearsal that need no process: its faults, its words, its refusals."""

from io import StringIO
from pathlib import Path
from threading import Event

import pytest
from msgspec import structs

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")

from decisions.drill import Blow, Case, Point
from decisions.drill_cancel import CANCEL_FAULTS, Kind
from decisions.drill_faults import FAULTS, PROVED, Outcome
from exchanges.local.calls import BEFORE
from exchanges.local.faults import Fault, Plan
from messages.errors import ConfigError, DataError
from messages.ids import ClientOrderId
from ops import drill as command
from ops.drill import DrillOptions, drill
from ops.drill_cancel_faults import cancel_plans
from ops.drill_child import RECV_WINDOW_MS, SETTLE_MS, TIMEOUT_MS
from ops.drill_faults import INSIDE_MS, LAG_MS, OUTSIDE_MS, plans_of
from ops.drill_play import until_rehearsed
from ops.drill_setting import IN_VAIN, Result

NAME = ClientOrderId("wk1")
PASSED = Result(
    case="in_fence/reset_after/kill",
    at_exchange=1,
    expected="1",
    state="filled",
    placements=1,
    lives=2,
    seconds=4.2,
    problems=(),
)
FAILED = Result(
    case="in_fence/none/kill",
    at_exchange=2,
    expected="1",
    state="filled",
    placements=2,
    lives=2,
    seconds=4.2,
    problems=("wk1: 2 orders",),
)


NO_PLAN = {"none", *PROVED}
"""The exchange has no part in these."""
IN_TIME = ("late_inside", "late_outside", "delayed_engine", "delayed_engine_outside")
"""When it arrives decides what becomes of it."""


def placing(name: str) -> list[Plan]:
    return [plan for plan in plans_of(name, NAME) if plan.operation == "place"]


def test_where_nobody_has_a_terminal_the_end_and_each_failure_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 1.0, 2.0, 8.0, 8.0, 9.0, 9.0, 9.0])
    monkeypatch.setattr("ops.drill.time.monotonic", lambda: next(clock))
    screen = StringIO()
    show = command._progress(5, screen)

    for result in (PASSED, FAILED, PASSED, PASSED, PASSED):
        show(result)

    assert screen.getvalue().splitlines() == [
        "2/5 cases, 1 failed: in_fence/none/kill FAILED",
        "3/5 cases, 1 failed",
        "5/5 cases, 1 failed",
    ]


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_strikes_one_placement_of_the_target_and_no_other_order(name: str) -> None:
    plans = placing(name)

    assert len(plans) == (0 if name in NO_PLAN else 1)
    assert all(plan.client_order_id == NAME and plan.times == 1 for plan in plans)


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in (*IN_TIME, *NO_PLAN)])
def test_a_fault_does_to_the_order_what_the_matrix_says(name: str) -> None:
    (plan,) = placing(name)

    never_arrives = FAULTS[name] in (Outcome.ABSENT, Outcome.REFUSED)
    assert (plan.fault in BEFORE) is never_arrives


def test_a_late_request_arrives_when_its_sender_has_given_up() -> None:
    assert TIMEOUT_MS < INSIDE_MS < RECV_WINDOW_MS < OUTSIDE_MS


def test_the_shortened_window_covers_what_the_exchange_is_told_to_delay() -> None:
    assert LAG_MS < SETTLE_MS


def test_every_other_fault_is_one_of_the_exchanges_own() -> None:
    own = {fault.value for fault in Fault}
    ours = {*NO_PLAN, "streamed", *IN_TIME}
    assert {name for name in FAULTS if not name.startswith("query_")} - ours <= own


def test_every_fault_of_requests_that_the_exchange_knows_is_in_the_matrix() -> None:
    plans = [plan for name in FAULTS for plan in plans_of(name, NAME)]
    cancels = [name for name, kind in CANCEL_FAULTS.items() if kind is not Kind.PLACING]
    plans += [plan for name in cancels for plan in cancel_plans(name, NAME)]

    assert {plan.fault for plan in plans} == set(Fault)


@pytest.mark.parametrize("name", [name for name in FAULTS if name.startswith("query_")])
def test_a_fault_of_questions_strikes_those_for_the_target(name: str) -> None:
    lost, asked, *_ = plans_of(name, NAME)

    assert lost.fault is Fault.RESET_AFTER
    assert (asked.operation, asked.client_order_id) == ("query", NAME)


def test_a_fault_keeps_the_status_that_it_is_to_have() -> None:
    assert plans_of("query_502", NAME)[1].status == 502


def test_a_wrong_case_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError) as caught:
        drill(DrillOptions(cases=("nowhere/none/kill", "in_fence/none")))

    assert len(caught.value.problems) == 2


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(ConfigError, match=r"pip install '\.\[exchange\]'"):
        drill(DrillOptions())


def test_a_directory_with_something_in_it_is_not_mixed_up(tmp_path: Path) -> None:
    (tmp_path / "old").touch()

    with pytest.raises(ConfigError, match="is not empty: name a new directory"):
        drill(DrillOptions(keep=tmp_path))


def test_a_failed_case_prints_how_to_play_it_again() -> None:
    options = DrillOptions(config_path=Path("my.toml"), seed=5)

    text = command._text([PASSED, FAILED], 12.0, options)

    assert "in_fence/none/kill: wk1: 2 orders" in text
    assert "again: watchkeeper drill my.toml --case in_fence/none/kill --seed 5\n" in text
    assert "1 of 2 cases FAILED (12 s)." in text


def test_when_all_passed_the_last_line_says_so() -> None:
    text = command._text([PASSED], 12.0, DrillOptions())

    assert text.splitlines()[-1].startswith("Passed, 1 of 1: never two orders")


@pytest.mark.slow
def test_a_strategy_that_sends_nothing_is_told_what_to_change() -> None:
    with pytest.raises(DataError, match="sends no order in 3 candles"):
        drill(DrillOptions(candles=3, cases=("in_fence/none/kill",)))


# ------------------------------------------------------------ a case that shows nothing

VAIN = structs.replace(PASSED, problems=(f"the order did not come by in_fence: {IN_VAIN}",))
CASE = Case(Point.IN_FENCE, "none", Blow.KILL)


def played(*results: Result, over: bool = False) -> Result:
    """Play a case that ends so at its tries; none is made but these."""
    left, is_over = iter(results), Event()
    if over:
        is_over.set()
    result = until_rehearsed(lambda _: next(left), is_over)(CASE)
    assert next(left, None) is None
    return result


def test_a_case_in_which_chance_kept_the_order_off_its_point_is_played_again() -> None:
    result = played(VAIN, VAIN, PASSED)

    assert (result.passed, result.tries) == (True, 3)
    assert "passed at try 3" in command._text([result], 12.0, DrillOptions())


def test_one_that_never_comes_to_its_point_fails() -> None:
    assert played(VAIN, VAIN, VAIN) == structs.replace(VAIN, tries=3)


def test_what_is_wrong_is_not_played_again() -> None:
    both = structs.replace(VAIN, problems=(*FAILED.problems, *VAIN.problems))

    assert [played(one) for one in (FAILED, both, PASSED)] == [FAILED, both, PASSED]
    assert played(VAIN, FAILED) == structs.replace(FAILED, tries=2)


def test_nothing_is_played_again_once_nobody_waits_for_it() -> None:
    assert played(VAIN, over=True) == VAIN
