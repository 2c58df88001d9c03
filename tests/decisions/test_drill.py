"""The crash rehearsal's cases and its verdict."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.drill import (
    COMMITTED,
    LEDGER_BLOWS,
    OF_OTHERS,
    ONE_OF_EACH_AND_A_HANG,
    OTHERS,
    POINTS,
    STILL,
    Blow,
    Case,
    Point,
    full_cases,
    is_possible,
    lost_ledger_cases,
    parse_case,
    quick_cases,
    quick_lost_ledger_cases,
)
from decisions.drill_faults import ASKED_INTO, EVERYWHERE, FAULTS, HALTING, PROVED, SENT_INTO
from decisions.drill_verdict import (
    KEY_REFUSED,
    METRICS_LEFT,
    AtExchange,
    InLedger,
    beyond_repair,
    came_late,
    expected_at_exchange,
    problems,
    wrong_words,
)
from messages.ids import ClientOrderId, Symbol
from messages.values import OrderState, Side

BTC = Symbol("BTC/USDT")
ASKING = (Point.FIND_ASKED, Point.FIND_ANSWERED)


def order(name: str, filled: str = "1", **changes: Any) -> AtExchange:
    facts: dict[str, Any] = {
        "client_order_id": ClientOrderId(name),
        "symbol": BTC,
        "side": Side.BUY,
        "filled": Decimal(filled),
        "is_open": False,
    }
    return AtExchange(**facts | changes)


def entry(
    name: str, state: OrderState = OrderState.FILLED, filled: str = "1", **changes: Any
) -> InLedger:
    facts: dict[str, Any] = {
        "client_order_id": ClientOrderId(name),
        "symbol": BTC,
        "side": Side.BUY,
        "state": state,
        "filled": Decimal(filled),
        "reason": "",
    }
    return InLedger(**facts | changes)


# ------------------------------------------------------------ the cases


def test_every_point_has_a_sentence() -> None:
    assert set(POINTS) == set(Point)


def test_the_quick_cases_are_of_the_full_ones() -> None:
    assert set(quick_cases()) <= set(full_cases())


def test_the_quick_cases_kill_at_every_point_and_let_every_blow_fall() -> None:
    quick = quick_cases()

    assert {case.point for case in quick if case.blow is Blow.KILL} == set(Point)
    assert {case.blow for case in quick} == set(Blow) - {*LEDGER_BLOWS, *STILL}
    assert {FAULTS[case.fault] for case in quick} == set(FAULTS.values())


def test_the_full_cases_strike_every_point_under_every_possible_fault() -> None:
    full = set(full_cases())

    for point in Point:
        for fault in EVERYWHERE:
            for blow in (Blow.KILL, Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG):
                case = Case(point, fault, blow)
                assert (case in full) is is_possible(case)


def test_a_process_stands_still_at_every_point_under_one_fault_of_each_outcome() -> None:
    frozen = {case for case in full_cases() if case.blow is Blow.FREEZE}

    assert frozen == {
        case
        for point in Point
        for fault in ONE_OF_EACH_AND_A_HANG
        if is_possible(case := Case(point, fault, Blow.FREEZE))
    }
    assert {case.point for case in frozen} == set(Point)


def test_no_case_is_played_twice() -> None:
    assert len(set(full_cases())) == len(full_cases())


@pytest.mark.parametrize("fault", list(SENT_INTO))
def test_what_a_placement_meets_is_played_where_it_leaves_and_where_its_answer_is_read(
    fault: str,
) -> None:
    killed = points_of(fault, Blow.KILL)

    assert points_of(fault, Blow.NONE) == {Point.INTENT_TOLD}
    assert killed > {Point.PAST_FENCE, Point.ANSWER_RECEIVED, Point.BEFORE_OUTCOME}
    assert points_of(fault, Blow.EXECUTOR_CRASH) >= {Point.PAST_FENCE, Point.ANSWER_RECEIVED}
    assert len(killed) < 8, "not everywhere"


@pytest.mark.parametrize("fault", list(ASKED_INTO))
def test_what_a_question_meets_is_played_where_an_order_is_asked_for(fault: str) -> None:
    killed = {Point.BEFORE_OUTCOME, Point.FIND_ANSWERED, Point.FIND_TOLD, Point.RESTART_ANSWERED}

    assert points_of(fault, Blow.NONE) == {Point.INTENT_TOLD}
    assert points_of(fault, Blow.KILL) == killed
    asking = {Point.ANSWER_RECEIVED, Point.FIND_ASKED, Point.FIND_ANSWERED}
    assert points_of(fault, Blow.EXECUTOR_CRASH) == asking
    assert points_of(fault, Blow.EXECUTOR_HANG) == asking


@pytest.mark.parametrize("fault", list(FAULTS))
def test_under_every_fault_the_executor_hangs_where_an_answer_is_awaited_and_where_it_asks(
    fault: str,
) -> None:
    hung = points_of(fault, Blow.EXECUTOR_HANG)

    for point in (Point.ANSWER_PENDING, Point.ANSWER_RECEIVED, *ASKING):
        assert (point in hung) is is_possible(Case(point, fault, Blow.EXECUTOR_HANG))


@pytest.mark.parametrize("fault", sorted(PROVED))
def test_nobody_asks_for_an_order_that_has_surely_not_left(fault: str) -> None:
    struck = {case.point for case in full_cases() if case.fault == fault}

    assert not struck & {Point.ANSWER_PENDING, Point.FIND_TOLD, *ASKING}
    assert struck > {Point.ABSENCE_RECORDED, Point.BEFORE_RESEND, Point.AFTER_RESEND}


def test_a_key_that_is_refused_is_heard_of_by_a_placement_and_by_a_question() -> None:
    assert set(FAULTS) >= HALTING
    assert HALTING & set(SENT_INTO)
    assert HALTING & set(ASKED_INTO)


def test_other_actors_than_the_executor_die_at_three_points_alone() -> None:
    others = [case for case in full_cases() if case.blow in (*OTHERS, *STILL)]

    assert {case.point for case in others} == set(OF_OTHERS)
    assert {case.blow for case in others} == {*OTHERS, *STILL}


def points_of(fault: str, blow: Blow) -> set[Point]:
    return {case.point for case in full_cases() if (case.fault, case.blow) == (fault, blow)}


def test_the_sizes_are_what_the_documents_say() -> None:
    assert (len(quick_cases()), len(full_cases())) == (49, 2145)
    assert (len(quick_lost_ledger_cases()), len(lost_ledger_cases())) == (4, 104)


def test_a_ledger_is_lost_at_every_point_and_with_every_commit() -> None:
    cases = lost_ledger_cases()

    assert {case.point for case in cases if case.blow is Blow.LEDGER_LOST} == set(Point)
    assert {case.point for case in cases if case.blow is Blow.COMMIT_UNANSWERED} == COMMITTED
    assert set(quick_lost_ledger_cases()) <= set(cases)
    assert {case.blow for case in cases} == set(LEDGER_BLOWS)
    assert {FAULTS[case.fault] for case in cases} == set(FAULTS.values())


@pytest.mark.parametrize("case", [*quick_cases(), *quick_lost_ledger_cases()], ids=str)
def test_a_case_is_read_as_it_is_written(case: Case) -> None:
    assert parse_case(str(case)) == case


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("in_fence", "is not POINT/FAULT/BLOW"),
        ("in_fense/none/kill", "'in_fense' is none of: intent_told, "),
        ("in_fence/nothing/kill", "'nothing' is none of: none, reset_after"),
        ("find_told/partial_fill/kill", "does not surely come by that point"),
        ("answer_pending/server_busy/kill", "does not surely come by that point"),
        ("in_fence/none/die", "'die' is none of: none, kill"),
        ("after_settled/none/kill", "does not surely come by that point"),
        ("absence_recorded/reset_after/kill", "does not surely come by that point"),
        ("restart_answered/streamed/kill", "does not surely come by that point"),
        ("find_asked/connection_refused/kill", "does not surely come by that point"),
        ("answer_pending/none/kill", "does not surely come by that point"),
        ("in_fence/none/commit_unanswered", "does not surely come by that point"),
    ],
)
def test_a_case_that_cannot_be_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_case(text)


# ------------------------------------------------------------ the verdict


def test_one_filled_order_for_one_decision_is_well() -> None:
    assert problems([order("a")], [entry("a")], {ClientOrderId("a")}) == []


def test_two_orders_for_one_decision_are_told() -> None:
    assert "a: 2 orders" in problems([order("a"), order("a")], [entry("a")])


def test_a_second_order_that_has_not_filled_is_told_too() -> None:
    second = order("a", "0", is_open=True)

    assert "a: 2 orders" in problems([order("a"), second], [entry("a")])


def test_an_order_that_the_ledger_does_not_know_is_told() -> None:
    told = problems([order("a")], [])

    assert "a: the ledger does not know this order" in told
    assert "BTC/USDT: the position is 1, the ledger explains 0" in told


def test_a_decision_that_an_undisturbed_run_makes_is_missed() -> None:
    assert problems([], [], {ClientOrderId("a")}) == ["a: the decision was lost"]


def test_a_decision_that_is_reported_as_a_dead_letter_is_not_missed() -> None:
    name = ClientOrderId("a")

    assert problems([], [], {name}, {name}) == []
    assert problems([order("a")], [], {name}, {name}) != []


@pytest.mark.parametrize("state", [OrderState.REJECTED, OrderState.REFUSED])
def test_an_order_that_is_there_against_the_ledgers_word_is_told(state: OrderState) -> None:
    told = problems([order("a")], [entry("a", state, "0")])

    assert f"a: the ledger says {state}, the exchange has it" in told


def test_an_order_that_is_not_there_against_the_ledgers_word_is_told() -> None:
    told = problems([], [entry("a")])

    assert "a: the ledger says filled, the exchange does not have it" in told


def test_a_fill_that_the_ledger_missed_is_told() -> None:
    told = problems([order("a", "1")], [entry("a", filled="0.5")])

    assert "a: filled 1 at the exchange, 0.5 in the ledger" in told


@pytest.mark.parametrize("state", [OrderState.CLAIMED, OrderState.SENT, OrderState.NOT_SENT])
def test_a_decision_that_has_not_ended_is_told(state: OrderState) -> None:
    assert problems([], [entry("a", state, "0")]) == [f"a: still {state}"]


def test_what_has_ended_with_other_fills_stays_so() -> None:
    assert beyond_repair([order("a", "1")], [entry("a", filled="0.5")])
    assert not beyond_repair([order("a", "1")], [entry("a", filled="1")])
    assert not beyond_repair([order("a", "1", is_open=True)], [entry("a", filled="0.5")])
    assert not beyond_repair(
        [order("a", "1")], [entry("a", OrderState.PARTIALLY_FILLED, filled="0.5")]
    )
    assert not beyond_repair([], [entry("a")])


def test_a_dead_letter_that_was_written_after_all_is_waited_for_until_it_is_settled() -> None:
    dead = {ClientOrderId("a")}
    assert came_late([entry("a", OrderState.SENT)], dead)
    assert came_late([entry("a", OrderState.UNKNOWN)], dead)
    assert not came_late([entry("a"), entry("b", OrderState.SENT)], dead)
    assert not came_late([entry("a", OrderState.ACCEPTED)], dead)
    assert not came_late([], dead)


def test_an_unknown_outcome_is_well_when_it_is_reported() -> None:
    reported = entry("a", OrderState.UNKNOWN, "0", reason="no answer")

    assert problems([order("a")], [reported]) == []
    assert problems([], [reported]) == []
    assert problems([], [entry("a", OrderState.UNKNOWN, "0")]) == ["a: UNKNOWN without a reason"]


def test_an_order_that_rests_at_the_exchange_is_well_while_it_does() -> None:
    accepted = entry("a", OrderState.ACCEPTED, "0")

    assert problems([order("a", "0", is_open=True)], [accepted]) == []
    assert problems([order("a", "0", is_open=False)], [accepted]) != []


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (OrderState.FILLED, "1"),
        (OrderState.CANCELED, "1"),
        (OrderState.ACCEPTED, "1"),
        (OrderState.REJECTED, "0"),
        (OrderState.REFUSED, "0"),
        (OrderState.NOT_SENT, "0"),
        (OrderState.UNKNOWN, "0..1"),
        (OrderState.SENT, "0..1"),
    ],
)
def test_what_the_ledger_says_is_at_the_exchange(state: OrderState, expected: str) -> None:
    assert expected_at_exchange(entry("a", state)) == expected


def test_of_a_decision_that_is_not_in_the_ledger_nothing_may_be_at_the_exchange() -> None:
    assert expected_at_exchange(None) == "0"


HALTED = f"02:11:16 CRITICAL {KEY_REFUSED}: see to it there actor=execution/executor"
OTHER = "02:11:17 CRITICAL trading is halted: something else"


def test_a_process_that_says_nothing_of_an_error_is_well() -> None:
    assert not wrong_words("", key_refused=False)
    assert wrong_words("Traceback", key_refused=False) == "Traceback"


def test_one_whose_key_was_refused_must_say_that_it_has_halted_and_nothing_else() -> None:
    assert not wrong_words(HALTED + "\n", key_refused=True)
    assert not wrong_words(f"{HALTED}\n{HALTED}\n", key_refused=True)
    assert "nobody said" in wrong_words("", key_refused=True)
    assert wrong_words(f"{HALTED}\n{OTHER}\n", key_refused=True) == OTHER


def test_nobody_else_may_say_that_its_key_was_refused() -> None:
    assert wrong_words(HALTED, key_refused=False) == HALTED


def test_one_whose_metrics_hang_must_say_so_and_nobody_else_may() -> None:
    left = f"02:11:18 CRITICAL {METRICS_LEFT}; the next start settles what is open actor=root"

    assert not wrong_words(left + "\n", metrics_hang=True)
    assert wrong_words(f"{left}\n{OTHER}\n", metrics_hang=True) == OTHER
    assert "nobody said" in wrong_words("", metrics_hang=True)
    assert wrong_words(left) == left


NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)
SIDES = st.sampled_from(Side)


@pytest.mark.slow
@given(NAMES, SIDES, st.data())
def test_no_single_difference_goes_unseen(names: list[str], side: Side, data: Any) -> None:
    exchange = [order(name, side=side) for name in names]
    ledger = [entry(name, side=side) for name in names]
    expected = {ClientOrderId(name) for name in names}
    assert problems(exchange, ledger, expected) == []

    place = data.draw(st.integers(0, len(names) - 1))
    kind = data.draw(st.sampled_from(["twice", "gone", "forgotten", "less"]))
    if kind == "twice":
        exchange.append(exchange[place])
    elif kind == "gone":
        del exchange[place]
    elif kind == "forgotten":
        del ledger[place]
    else:
        exchange[place] = order(names[place], "0.5", side=side)

    assert problems(exchange, ledger, expected) != []
