"""The kill switch, as a specification: each step, and what it asks for next."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from decisions.halting import (
    MOST_TRIES,
    TRADING,
    Ask,
    Cancel,
    Drop,
    HaltRecord,
    Keep,
    ListOpen,
    cancel_done,
    halt,
    list_failed,
    listed,
    looked_up,
    order_seen,
    recover,
    resume,
    text_of,
    try_again,
    unreadable,
    why_not_resume,
)
from messages.ids import TimestampNs
from tests.decisions.halts import (
    HALTING,
    NOW,
    PERSON,
    PROVED,
    RECORD,
    RULE,
    UNPROVED,
    A,
    B,
    given_up,
    halted,
)


def test_a_halt_is_written_down_before_anything_is_asked() -> None:
    after, effects = halt(TRADING, RECORD)

    assert effects == (Keep(RECORD), ListOpen(1))
    assert (after.state, after.may_send) == (HALTING, False)


def test_a_venue_with_nothing_open_is_the_proof() -> None:
    after, effects = listed(halt(TRADING, RECORD)[0], 1, ())

    assert (after.state, effects) == (PROVED, ())


def test_every_open_order_is_cancelled_then_asked_for_then_the_list_is_asked_for_again() -> None:
    after, effects = listed(halt(TRADING, RECORD)[0], 1, (A, B))
    assert effects == (Cancel(A), Cancel(B))

    assert cancel_done(after, A)[1] == (Ask(A),)
    after, effects = looked_up(after, A, is_open=False)
    assert effects == ()
    after, effects = looked_up(after, B, is_open=False)
    assert (after.state, effects) == (HALTING, (ListOpen(2),))

    assert listed(after, 2, ())[0].state is PROVED


def test_an_order_that_is_still_open_is_cancelled_again_and_at_last_given_up() -> None:
    after = halted(A)
    for _ in range(MOST_TRIES - 1):
        after, effects = looked_up(after, A, is_open=True)
        assert effects == (Cancel(A),)

    after, effects = looked_up(after, A, is_open=True)

    assert (after.state, effects, set(after.open)) == (UNPROVED, (), {A})


def test_a_question_without_an_answer_is_asked_again() -> None:
    assert looked_up(halted(A), A, is_open=None)[1] == (Ask(A),)


def test_what_was_given_up_is_proved_once_it_turns_out_to_be_closed() -> None:
    after, effects = looked_up(given_up(), A, is_open=False)
    assert (after.state, effects) == (HALTING, (ListOpen(2),))

    assert listed(after, 2, ())[0].state is PROVED


def test_what_was_given_up_is_cancelled_again_when_a_timer_or_a_person_says_so() -> None:
    for again in (try_again(given_up()), halt(given_up(), RECORD)):
        assert (again[0].state, again[1]) == (HALTING, (Cancel(A),))


def test_late_answers_about_an_order_that_was_given_up_start_nothing() -> None:
    before = given_up()

    assert cancel_done(before, A) == (before, ())
    assert looked_up(before, A, is_open=True) == (before, ())
    assert looked_up(before, A, is_open=None) == (before, ())


def test_while_one_order_is_asked_for_another_that_was_given_up_decides_nothing() -> None:
    after = halted(A, B)
    for _ in range(MOST_TRIES):
        after, _ = looked_up(after, A, is_open=True)
    assert after.state is HALTING

    after, effects = looked_up(after, A, is_open=False)
    assert (after.state, effects) == (HALTING, ())
    assert looked_up(after, B, is_open=False)[1] == (ListOpen(2),)


def test_a_list_that_never_comes_is_no_proof() -> None:
    after, _ = halt(TRADING, RECORD)
    for _ in range(MOST_TRIES):
        after, _ = list_failed(after, after.question)

    assert (after.state, after.open) == (UNPROVED, {})
    assert try_again(after)[1] == (ListOpen(MOST_TRIES + 1),)


def test_what_is_known_to_be_open_is_canceled_though_the_list_never_comes() -> None:
    """One symbol that cannot be asked for left all orders of the others open."""
    before, _ = halt(TRADING, RECORD)

    after, effects = list_failed(before, before.question, [A, B])

    assert (after.state, set(after.open)) == (HALTING, {A, B})
    assert effects == (Cancel(A), Cancel(B))


def test_and_so_it_is_by_an_answer_to_an_earlier_question() -> None:
    before, _ = halt(TRADING, RECORD)

    after, effects = list_failed(before, before.question - 1, [A])

    assert effects == (Cancel(A),)
    assert list_failed(TRADING, 0, [A]) == (TRADING, ())
    assert after.state is HALTING


def test_an_order_that_turns_up_after_the_proof_ends_it() -> None:
    after, effects = order_seen(halted(), A)

    assert (after.state, effects) == (HALTING, (Cancel(A),))


def test_a_list_that_was_asked_for_before_an_order_turned_up_proves_nothing() -> None:
    after, _ = order_seen(halt(TRADING, RECORD)[0], A)
    after, effects = looked_up(after, A, is_open=False)
    assert effects == (ListOpen(2),)

    assert listed(after, 1, ())[0].state is HALTING
    assert listed(after, 2, ())[0].state is PROVED


def test_an_answer_to_a_question_of_the_halt_before_proves_nothing() -> None:
    traded, _ = resume(halt(TRADING, RECORD)[0], PERSON, despite_open=True)
    after, _ = halt(traded, RECORD)

    assert listed(after, 1, ())[0].state is HALTING


def test_a_second_halt_keeps_the_first_reason() -> None:
    other = HaltRecord(reason="something else", ordered_by=RULE, at_ns=TimestampNs(8))

    after, effects = halt(halted(A), other)

    assert (after.record, effects) == (RECORD, ())


def test_a_proof_does_not_outlive_the_process_and_the_halt_does() -> None:
    after, effects = recover(text_of(RECORD), NOW)

    assert (after.state, after.record, effects) == (HALTING, RECORD, (ListOpen(1),))


def test_without_a_record_a_process_trades() -> None:
    assert recover(None, NOW) == (TRADING, ())


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "the operator said so", text_of(RECORD)[:-3], '{"reason": 1}', "\ud800"],
)
def test_a_record_that_cannot_be_read_is_a_halt_and_stays_as_it_is(text: str) -> None:
    after, effects = recover(text, NOW)

    assert (after.state, effects) == (HALTING, (ListOpen(1),))
    assert after.record is not None
    assert after.record.reason.startswith("the record of a halt cannot be read: ")


def test_a_disk_that_cannot_be_read_is_a_halt() -> None:
    assert not unreadable("disk I/O error", NOW)[0].may_send


@given(text=st.text())
def test_whatever_the_record_says_it_is_a_halt(text: str) -> None:
    assert not recover(text, NOW)[0].may_send


def test_a_person_ends_a_halt_and_the_record_goes() -> None:
    after, effects = resume(halted(), PERSON)

    assert (after.may_send, after.record, effects) == (True, None, (Drop(),))


def test_nothing_but_a_person_ends_a_halt() -> None:
    assert resume(halted(), RULE) == (halted(), ())
    assert resume(halted(), RULE, despite_open=True) == (halted(), ())
    assert why_not_resume(halted(), RULE) == "a halt is ended by a person only"


def test_without_a_proof_a_person_must_say_that_he_accepts_it() -> None:
    assert resume(given_up(), PERSON) == (given_up(), ())
    assert why_not_resume(given_up(), PERSON) == (
        "1 orders may still be open; wait for the proof, or resume with --despite-open"
    )
    assert resume(given_up(), PERSON, despite_open=True)[0].may_send


def test_while_trading_there_is_nothing_to_resume() -> None:
    assert resume(TRADING, PERSON) == (TRADING, ())
    assert why_not_resume(TRADING, PERSON) == "trading is not halted"


def test_while_trading_no_answer_starts_anything() -> None:
    for step in (
        listed(TRADING, 0, (A,)),
        list_failed(TRADING, 0),
        order_seen(TRADING, A),
        cancel_done(TRADING, A),
        looked_up(TRADING, A, is_open=True),
        try_again(TRADING),
    ):
        assert step == (TRADING, ())
