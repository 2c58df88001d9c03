from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.executor import (
    Claim,
    Conflict,
    Duplicate,
    JustDecided,
    Refuse,
    Resend,
    Verdict,
    contradiction,
    difference,
    judge_intents,
    next_step,
    settle,
)
from decisions.risk import RiskLimits, RiskState
from messages.ids import (
    AccountId,
    ClientOrderId,
    Epoch,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
)
from messages.order_states import FINAL_STATES, LEGAL_TRANSITIONS, check_transition
from messages.orders import LookupDone, OrderIntent, OrderReport
from messages.values import OrderState, OrderType, Side, TimeInForce

S = OrderState
BTC = Symbol("BTC/USDT")
states = st.sampled_from(OrderState)
AT_VENUE = [S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED]


class Row(msgspec.Struct):
    state: OrderState
    filled_quantity: Decimal = Decimal(0)


def intent(key: str, quantity: str = "1") -> OrderIntent:
    return OrderIntent(
        order_key=OrderKey(key),
        account=AccountId("main"),
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        quantity=Decimal(quantity),
        limit_price=None,
        reference_price=Decimal(100),
        decided_at_ns=TimestampNs(0),
        ts_created_ns=TimestampNs(0),
        reason="",
    )


def fingerprint(order: OrderIntent) -> str:
    return f"{order.order_key}:{order.quantity}"


def known(state: OrderState, order: OrderIntent) -> dict[OrderKey, JustDecided]:
    return {order.order_key: JustDecided(state=state, fingerprint=fingerprint(order))}


def sort(
    *intents: OrderIntent,
    ledger: Mapping[OrderKey, JustDecided] | None = None,
    limits: RiskLimits | None = None,
    state: RiskState | None = None,
) -> list[Verdict]:
    return judge_intents(
        intents, ledger or {}, fingerprint, limits or RiskLimits(), state or RiskState(), {}
    )


def report(state: OrderState, filled: str = "0") -> OrderReport:
    return OrderReport(
        client_order_id=ClientOrderId("c"),
        symbol=BTC,
        state=state,
        venue_order_id=None,
        filled_quantity=Decimal(filled),
        average_price=None,
        fills=(),
        reason="",
        evidence="find",
        ts_event_ns=TimestampNs(0),
    )


def lookup(found: OrderReport | None, problem: str = "") -> LookupDone:
    return LookupDone(order_key=OrderKey("k"), epoch=Epoch(1), report=found, problem=problem)


def test_a_new_decision_is_claimed_and_counted() -> None:
    state = RiskState()

    (verdict,) = sort(intent("a"), state=state)

    assert isinstance(verdict, Claim)
    assert state.exposure[BTC] == 1


def test_a_new_decision_over_a_limit_is_refused_and_not_counted() -> None:
    state = RiskState()

    (verdict,) = sort(
        intent("a", "11"), limits=RiskLimits(max_order_notional=Decimal(1000)), state=state
    )

    assert isinstance(verdict, Refuse)
    assert verdict.refusal.code == "max_order_notional"
    assert not state.exposure


@pytest.mark.parametrize("state", [one for one in OrderState if one is not S.NOT_SENT])
def test_a_known_decision_is_a_duplicate_in_every_state_but_one(state: OrderState) -> None:
    (verdict,) = sort(intent("a"), ledger=known(state, intent("a")))

    assert isinstance(verdict, Duplicate)
    assert verdict.entry.state is state


def test_only_a_decision_that_is_proved_not_sent_is_sent_again() -> None:
    (verdict,) = sort(intent("a"), ledger=known(S.NOT_SENT, intent("a")))

    assert isinstance(verdict, Resend)


@given(state=states)
def test_a_known_key_with_another_intent_is_a_conflict_in_every_state(state: OrderState) -> None:
    (verdict,) = sort(intent("a", "2"), ledger=known(state, intent("a", "1")))

    assert isinstance(verdict, Conflict)


def test_a_decision_made_twice_in_one_drain_is_claimed_once() -> None:
    kinds = [type(verdict) for verdict in sort(intent("a"), intent("b"), intent("a"))]

    assert kinds == [Claim, Claim, Duplicate]


def test_a_decision_made_twice_in_one_drain_is_sent_again_once() -> None:
    verdicts = sort(intent("a"), intent("a"), ledger=known(S.NOT_SENT, intent("a")))

    assert [type(verdict) for verdict in verdicts] == [Resend, Duplicate]


def test_two_intents_of_one_key_in_one_drain_are_a_conflict() -> None:
    kinds = [type(verdict) for verdict in sort(intent("a", "1"), intent("a", "2"))]

    assert kinds == [Claim, Conflict]


def test_a_refused_decision_stays_refused_when_it_comes_again() -> None:
    limits = RiskLimits(max_order_notional=Decimal(1000))

    verdicts = sort(intent("a", "11"), intent("a", "11"), limits=limits)

    assert [type(verdict) for verdict in verdicts] == [Refuse, Duplicate]


def test_claims_of_one_drain_share_the_limits() -> None:
    verdicts = sort(
        *(intent(key, "4") for key in "abc"), limits=RiskLimits(max_position_notional=Decimal(1000))
    )

    assert [type(verdict) for verdict in verdicts] == [Claim, Claim, Refuse]


@given(before=states, after=states, filled=st.decimals("0", "2", places=1))
def test_a_step_is_always_legal(before: OrderState, after: OrderState, filled: Decimal) -> None:
    step = next_step(Row(before, Decimal(1)), report(after, str(filled)))

    if step is not None:
        check_transition(before, step)
        assert step is after


@given(before=st.sampled_from(sorted(FINAL_STATES)), after=states)
def test_nothing_moves_an_order_that_is_over(before: OrderState, after: OrderState) -> None:
    assert next_step(Row(before), report(after, "9")) is None


def test_a_partial_fill_is_a_step_only_when_more_is_filled() -> None:
    row = Row(S.PARTIALLY_FILLED, Decimal("0.5"))

    assert next_step(row, report(S.PARTIALLY_FILLED, "0.6")) is S.PARTIALLY_FILLED
    assert next_step(row, report(S.PARTIALLY_FILLED, "0.5")) is None
    assert next_step(row, report(S.PARTIALLY_FILLED, "0.4")) is None


def test_an_acceptance_that_a_fill_overtook_is_no_step() -> None:
    assert next_step(Row(S.PARTIALLY_FILLED, Decimal(1)), report(S.ACCEPTED)) is None


@given(
    reports=st.permutations(
        [
            report(S.ACCEPTED),
            report(S.PARTIALLY_FILLED, "0.3"),
            report(S.PARTIALLY_FILLED, "0.7"),
            report(S.FILLED, "1"),
        ]
    ),
    again=st.integers(0, 3),
)
def test_reports_in_any_order_and_number_end_in_the_same_state(
    reports: list[OrderReport], again: int
) -> None:
    row = Row(S.SENT)

    for one in [*reports, reports[again]]:
        step = next_step(row, one)
        if step is not None:
            row = Row(step, max(row.filled_quantity, one.filled_quantity))

    assert row == Row(S.FILLED, Decimal(1))


@pytest.mark.parametrize("before", [S.CLAIMED, S.SENT, S.UNKNOWN])
def test_an_order_that_is_surely_absent_was_not_sent(before: OrderState) -> None:
    assert settle(Row(before), lookup(None)) == (S.NOT_SENT,)


@pytest.mark.parametrize(
    "before", [S.ACCEPTED, S.PARTIALLY_FILLED, S.NOT_SENT, *sorted(FINAL_STATES)]
)
def test_absence_proves_nothing_new_about_an_order_that_was_answered_for(
    before: OrderState,
) -> None:
    assert settle(Row(before), lookup(None)) == ()


@given(before=states, found=st.none() | st.builds(report, states))
def test_a_question_that_failed_proves_nothing(
    before: OrderState, found: OrderReport | None
) -> None:
    assert settle(Row(before), lookup(found, problem="timeout")) == ()


@pytest.mark.parametrize("found", AT_VENUE)
@pytest.mark.parametrize("before", [S.SENT, S.UNKNOWN])
def test_an_order_that_is_found_is_what_the_venue_says(
    before: OrderState, found: OrderState
) -> None:
    filled = "1" if found is S.PARTIALLY_FILLED else "0"

    assert settle(Row(before), lookup(report(found, filled))) == (found,)


@pytest.mark.parametrize("found", AT_VENUE)
@pytest.mark.parametrize("before", [S.CLAIMED, S.NOT_SENT])
def test_an_order_that_is_found_though_thought_unsent_was_sent(
    before: OrderState, found: OrderState
) -> None:
    assert settle(Row(before), lookup(report(found))) == (S.SENT, found)


@given(before=states, found=st.none() | st.builds(report, states))
def test_every_settling_is_a_legal_road(before: OrderState, found: OrderReport | None) -> None:
    state = before

    for step in settle(Row(before), lookup(found)):
        assert step in LEGAL_TRANSITIONS[state]
        state = step


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "the venue has no such order (any more)"),
        (report(S.PARTIALLY_FILLED, "0.2"), "at the venue partially_filled with 0.2"),
        (report(S.CANCELED, "0.5"), "at the venue canceled with 0.5"),
    ],
)
def test_what_contradicts_an_order_and_moves_it_nowhere_is_said(
    found: OrderReport | None, says: str
) -> None:
    said = difference(OrderKey("a"), Row(S.PARTIALLY_FILLED, Decimal("0.5")), found)

    assert said.startswith("order a is partially_filled")
    assert said.endswith(says)


def test_what_only_says_it_again_is_no_difference() -> None:
    half = Row(S.PARTIALLY_FILLED, Decimal("0.5"))

    assert difference(OrderKey("a"), half, report(S.PARTIALLY_FILLED, "0.5")) == ""


@pytest.mark.parametrize(
    ("here", "there", "is_told"),
    [
        (S.CANCELED, S.ACCEPTED, True),
        (S.CANCELED, S.CANCELED, False),
        (S.ACCEPTED, S.ACCEPTED, False),
    ],
)
def test_what_has_ended_here_and_is_open_at_the_venue_is_said(
    here: OrderState, there: OrderState, is_told: bool
) -> None:
    said = contradiction(OrderKey("a"), Row(here), report(there))

    assert ("at the venue it is open" in said) is bool(said) is is_told
