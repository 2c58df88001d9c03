"""The numbers that are told of a risk check are those that it compares."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.risk import RiskLimits, RiskState, accept
from decisions.risk_recall import PastOrder, state_before_order
from decisions.risk_values import MARKET_ALONE, RiskValue, risk_view
from messages.ids import OrderKey, StrategyId
from messages.orders import OrderIntent
from messages.values import OrderState, Side
from tests.decisions.risk_orders import BTC, BUY, ETH, SELL, at, intent
from tests.decisions.test_risk_properties import LIFE, LIMITS, Drive

NAMES = set(RiskLimits.__struct_fields__)
OVER = {"max_order_notional", "max_position_notional", "price_collar_bps", "allow_short"}
"""At the limit an order still passes."""


def is_against(one: RiskValue) -> bool:
    """Whether these numbers refuse the order, by what the configuration says of the limit."""
    value, allowed = Decimal(one.value), Decimal(one.allowed)
    if one.limit == "cooldown_ms":
        return value < allowed
    if one.limit == "max_market_age_ms":
        return abs(value) > allowed
    return value > allowed if one.limit in OVER else value >= allowed


class Told(Drive):
    """Looks at what is told of each decision before it is judged."""

    def judge(self, order: OrderIntent) -> None:
        mark = self.naive.marks.get(order.symbol)
        self.state.now_ns = at(self.now)
        view = risk_view(order, self.limits, self.state, mark and mark[1])
        super().judge(order)
        code = self.verdicts[-1][1]
        against = {one.limit for one in view.compared if is_against(one)}
        if code is None:
            assert against == set()
        elif code in NAMES:
            assert code in against


@pytest.mark.slow
@given(life=LIFE, allow_short=st.booleans())
def test_what_refuses_an_order_is_among_the_numbers_and_nothing_else_is(
    life: list[Any], allow_short: bool
) -> None:
    drive = Told(msgspec.structs.replace(LIMITS, allow_short=allow_short))
    for event in life:
        drive.step(event)


def test_the_numbers_of_one_order() -> None:
    state = RiskState(open_orders={})
    accept(intent("1", key="a"), state)

    view = risk_view(intent("2", second=2, key="b"), LIMITS, state, Decimal(101))

    assert (view.position, view.adds, view.open_orders) == ("0", "2", 1)
    told = {one.limit: (one.value, one.allowed) for one in view.compared}
    assert told == {
        "price_collar_bps": ("99.0100", "500"),
        "max_position_notional": ("303", "700"),
        "max_order_notional": ("202", "500"),
        "max_open_orders": ("1", "4"),
        "max_open_orders_per_symbol": ("1", "3"),
        "max_orders_per_minute": ("1", "4"),
        "cooldown_ms": ("2000", "1000"),
        "max_daily_loss": ("0", "4"),
        "max_drawdown": ("0", "7"),
    }


def test_of_an_order_that_turns_the_position_around_the_part_that_enters_is_told() -> None:
    state = RiskState(open_orders={})
    accept(intent("3", key="a"), state)
    view = risk_view(intent("4", SELL, second=2, key="b"), LIMITS, state, None)
    told = {one.limit: one.value for one in view.compared}
    assert (view.adds, told["max_order_notional"]) == ("1", "100")


@pytest.mark.parametrize(("second", "count"), [(59.9, "1"), (60, "0")])
def test_a_minute_is_counted_back_from_the_decision(second: float, count: str) -> None:
    state = RiskState(open_orders={})
    accept(intent("1", key="a"), state)
    view = risk_view(intent("1", second=second, key="b"), LIMITS, state, None)
    told = {one.limit: one.value for one in view.compared}
    assert told["max_orders_per_minute"] == count


def test_an_exit_is_told_as_one_that_few_limits_hold() -> None:
    state = RiskState(open_orders={})
    accept(intent("1", key="a"), state)
    view = risk_view(intent("1", SELL, second=2, key="b"), LIMITS, state, None)
    assert view.adds == "0"
    assert {one.limit for one in view.compared} == {"max_position_notional"} - {
        "max_position_notional"
    }


def test_what_only_the_market_tells_is_left_out_of_what_a_ledger_tells() -> None:
    view = risk_view(intent(), LIMITS, RiskState(open_orders={}), None, knows_market=False)
    assert {one.limit for one in view.compared}.isdisjoint(MARKET_ALONE)


def past(key: str, then: OrderState | None, filled_then: str = "0", **changes: Any) -> PastOrder:
    """An order to buy 2 BTC, all of it filled by now."""
    fields: dict[str, Any] = {
        "order_key": OrderKey(key),
        "strategy_id": StrategyId("one"),
        "symbol": BTC,
        "side": Side.BUY,
        "quantity": Decimal(2),
        "filled_now": Decimal(2),
        "state_then": then,
        "filled_then": Decimal(filled_then),
    } | changes
    return PastOrder(**fields)


def test_the_position_before_an_order_is_without_what_was_filled_since() -> None:
    orders = [
        past("ended before", OrderState.FILLED, "2"),
        past("half filled then", OrderState.PARTIALLY_FILLED, "0.5"),
        past("of this very order", None),
        past("of another market", OrderState.SENT, symbol=ETH),
    ]
    state = state_before_order(BTC, at(90), Decimal(7), orders, [at(20), at(80)], follows_open=True)

    view = risk_view(intent("1", BUY, second=90), LIMITS, state, None, knows_market=False)

    assert view.position == "3.5", "7 by now: 1 long ago, 2 and 0.5 by then"
    assert view.open_orders == 2
    told = {one.limit: one.value for one in view.compared}
    assert told["max_position_notional"] == "600", "1 + 2 + 2 + 1, what is open counted as filled"
    assert told["max_open_orders_per_symbol"] == "1"
    assert told["max_orders_per_minute"] == "1"
    assert told["cooldown_ms"] == "10000"


def test_where_nobody_counted_open_orders_none_are_told() -> None:
    orders = [past("open", OrderState.SENT)]
    state = state_before_order(BTC, at(9), Decimal(2), orders, [], follows_open=False)
    view = risk_view(intent(second=9), LIMITS, state, None, knows_market=False)
    assert view.open_orders is None
    assert "max_open_orders" not in {one.limit for one in view.compared}
