"""The table of order steps: no dead ends but the final states, no way back from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errors import IllegalTransition
from messages.order_states import (
    FINAL_STATES,
    LEGAL_TRANSITIONS,
    OPEN_STATES,
    check_transition,
)
from messages.values import OrderState

S = OrderState


def reachable(start: OrderState) -> set[OrderState]:
    found = {start}
    while True:
        onward = {after for state in found for after in LEGAL_TRANSITIONS[state]}
        if onward <= found:
            return found
        found |= onward


def test_every_state_has_a_row() -> None:
    assert set(LEGAL_TRANSITIONS) == set(OrderState)


def test_every_state_is_reached_from_a_claim() -> None:
    assert reachable(S.CLAIMED) == set(OrderState)


def test_a_state_is_either_open_or_final() -> None:
    assert set(OrderState) == OPEN_STATES | FINAL_STATES
    assert not OPEN_STATES & FINAL_STATES


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_final_state_has_no_way_out(state: OrderState) -> None:
    assert LEGAL_TRANSITIONS[state] == frozenset()


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
def test_an_open_state_can_always_end(state: OrderState) -> None:
    assert reachable(state) & FINAL_STATES


def test_the_final_states_are_the_five_that_prove_an_end() -> None:
    assert {S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED, S.REFUSED} == FINAL_STATES


def test_only_what_was_never_sent_or_is_proved_not_sent_may_be_sent() -> None:
    senders = {before for before, onward in LEGAL_TRANSITIONS.items() if S.SENT in onward}

    assert senders == {S.CLAIMED, S.NOT_SENT}


def test_an_order_that_the_venue_had_is_never_called_not_sent() -> None:
    for state in (S.ACCEPTED, S.PARTIALLY_FILLED):
        assert S.NOT_SENT not in reachable(state)


def test_what_may_have_been_sent_is_refused_only_after_proof_that_it_was_not() -> None:
    refusable = {before for before, onward in LEGAL_TRANSITIONS.items() if S.REFUSED in onward}

    assert refusable == {S.CLAIMED, S.NOT_SENT}


@given(before=st.sampled_from(OrderState), after=st.sampled_from(OrderState))
def test_a_step_passes_when_the_table_holds_it_and_raises_when_not(
    before: OrderState, after: OrderState
) -> None:
    if after in LEGAL_TRANSITIONS[before]:
        check_transition(before, after)
    else:
        with pytest.raises(IllegalTransition, match=f"from {before} to {after}"):
            check_transition(before, after)
