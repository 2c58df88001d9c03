"""What is let through in one step is what the gate lets through, and is counted as it counts."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.risk import RiskLimits, RiskState, accept, fit_exit, refusal
from decisions.risk_plain import PlainGate
from messages.ids import StrategyId
from messages.orders import OrderIntent
from messages.values import Instrument
from tests.decisions.risk_orders import BTC, BUY, ETH, SELL, at, intent

LIMITS = [
    RiskLimits(),
    RiskLimits(max_order_notional=Decimal(300), max_orders_per_minute=3),
    RiskLimits(max_position_notional=Decimal(400), price_collar_bps=Decimal(5)),
]
LOOK_FURTHER: list[RiskLimits] = [
    RiskLimits(max_open_orders=1),
    RiskLimits(max_open_orders_per_symbol=1),
    RiskLimits(cooldown_ms=1),
    RiskLimits(max_market_age_ms=1),
    RiskLimits(max_daily_loss={"USDT": Decimal(1)}),
    RiskLimits(max_drawdown={"USDT": Decimal(1)}),
    RiskLimits(allow_short=False),
    RiskLimits(max_order_notional={"USDT": Decimal(300)}),
    RiskLimits(max_position_notional={"USDT": Decimal(300)}),
]
PLAIN = ["1", "1.0", "2", "0.1234567890123456789012345678901"]
QUANTITIES = PLAIN * 3 + ["0", "1e-19", "1e16", "NaN"]
PRICES = ["100"] * 9 + ["150.5", "0", "-1", "Infinity"]


@st.composite
def decisions(draw: st.DrawFn) -> list[OrderIntent]:
    found, second = [], 0
    for number in range(draw(st.integers(1, 12))):
        second += draw(st.sampled_from([0, 1, 30, 61]))
        one = intent(
            draw(st.sampled_from(QUANTITIES)),
            draw(st.sampled_from([BUY, SELL])),
            draw(st.sampled_from(PRICES)),
            draw(st.sampled_from([None] * 9 + ["100"])),
            second,
            draw(st.sampled_from([BTC, ETH])),
            f"k{number}",
        )
        leaves = draw(st.sampled_from(["0", "0", "1", "2", "0.5"]))
        who = StrategyId(draw(st.sampled_from(["one", "two"])))
        found.append(msgspec.structs.replace(one, leaves=Decimal(leaves), strategy_id=who))
    return found


@pytest.mark.slow
@given(
    limits=st.sampled_from(LIMITS + LOOK_FURTHER),
    orders=decisions(),
    unsettled=st.sampled_from([set(), {ETH}]),
)
def test_nothing_passes_that_the_gate_would_stop_or_change(
    limits: RiskLimits, orders: list[OrderIntent], unsettled: set[Any]
) -> None:
    whole, plain = fresh(unsettled), fresh(unsettled)
    gate = PlainGate(limits, plain)
    for order in orders:
        fitted = fit_exit(order, limits, whole)
        allowed = refusal(fitted, limits, whole, None) is None
        if allowed:
            accept(fitted, whole)
        if gate.lets_through(order):
            assert allowed
            assert fitted == order
        elif allowed:
            accept(fitted, plain)
        assert repr(plain) == repr(whole)


def fresh(unsettled: set[Any]) -> RiskState:
    state = RiskState(unsettled=set(unsettled))
    state.open_orders = None
    return state


@pytest.mark.parametrize("limits", LIMITS)
def test_entries_from_flat_and_exits_pass(limits: RiskLimits) -> None:
    gate = PlainGate(limits, fresh(set()))
    buy, sell = intent("2"), intent("2", SELL, second=1)

    for second in range(0, 600, 60):
        for one in (buy, msgspec.structs.replace(sell, leaves=Decimal(2))):
            moved = msgspec.structs.replace(one, decided_at_ns=at(second) + one.decided_at_ns)
            assert gate.lets_through(moved)


def test_an_order_that_turns_the_position_around_is_left_to_the_gate() -> None:
    state = fresh(set())
    gate = PlainGate(RiskLimits(max_order_notional=Decimal(150)), state)
    assert gate.lets_through(intent("1"))
    before = repr(state)

    turning = msgspec.structs.replace(intent("3", SELL, second=1), leaves=Decimal(1))

    assert not gate.lets_through(turning)
    assert repr(state) == before


@pytest.mark.parametrize("limits", LOOK_FURTHER)
def test_a_limit_that_looks_further_lets_nothing_pass(limits: RiskLimits) -> None:
    assert not PlainGate(limits, fresh(set())).lets_through(intent("1"))


def test_a_state_that_knows_more_lets_nothing_pass() -> None:
    open_orders = RiskState(open_orders={})
    a_grid = fresh(set())
    a_grid.instruments[BTC] = Instrument(symbol=BTC)

    assert not PlainGate(RiskLimits(), open_orders).lets_through(intent("1"))
    assert not PlainGate(RiskLimits(), a_grid).lets_through(intent("1"))


@pytest.mark.parametrize(
    ("quantity", "price", "passes"),
    [("3", "100", True), ("3.00000000000000000000000000000001", "100", False)],
)
def test_at_the_limit_every_digit_counts(quantity: str, price: str, passes: bool) -> None:
    gate = PlainGate(LIMITS[1], fresh(set()))

    assert gate.lets_through(intent(quantity, price=price)) is passes
