"""An exit is of what is held and has filled, and no more than the venue takes in one order."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from decisions.account import Flows
from decisions.risk import (
    RiskLimits,
    RiskState,
    accept,
    fit_exit,
    follow_order,
    refusal,
    release,
)
from decisions.risk_exit import Before, before_exit, fees_in, is_part, rest_of_exit
from messages.ids import StrategyId
from messages.orders import OrderIntent
from messages.values import OrderType, Side
from tests.decisions.exit_orders import BTC, GRID, SPOT, leaving, order, traded

FREE = RiskLimits()


def holding(held: str) -> RiskState:
    state = RiskState()
    accept(order(Side.BUY if Decimal(held) > 0 else Side.SELL, str(abs(Decimal(held)))), state)
    return state


@pytest.mark.parametrize(
    ("held", "quantity", "leaves", "side", "sent"),
    [
        ("2", "3", "3", Side.SELL, "2"),
        ("2", "6", "3", Side.SELL, "5"),
        ("3", "3", "3", Side.SELL, "3"),
        ("4", "3", "3", Side.SELL, "3"),
        ("-2", "3", "3", Side.BUY, "2"),
        ("-2", "3", "3", Side.SELL, "0"),
    ],
)
def test_an_exit_is_sent_as_what_is_held_of_it(
    held: str, quantity: str, leaves: str, side: Side, sent: str
) -> None:
    """Of a turn only the part that leaves is made to fit."""
    fitted = fit_exit(leaving(quantity, leaves, side), FREE, holding(held))

    assert fitted.quantity == Decimal(sent)


def test_an_exit_of_nothing_is_refused() -> None:
    exit_ = fit_exit(leaving("3", "3"), FREE, RiskState())
    against = refusal(exit_, FREE, RiskState(), None)

    assert against is not None
    assert against.code == "nothing_held"


def test_what_ended_unfilled_is_not_held() -> None:
    state = holding("5")
    release(BTC, Side.BUY, Decimal(3), state, StrategyId("s"))

    assert fit_exit(leaving("5", "5"), FREE, state).quantity == 2


def test_what_another_strategy_holds_is_not_its_own() -> None:
    other = msgspec.structs.replace(leaving("5", "5"), strategy_id=StrategyId("other"))

    assert fit_exit(other, FREE, holding("5")).quantity == 0


# ------------------------------------------------------------------ what has filled


def test_while_an_entry_fills_what_has_filled_is_left_and_the_rest_follows() -> None:
    state = RiskState(open_orders={}, instruments={BTC: GRID})
    entry = order(Side.BUY, "1")
    accept(entry, state)
    follow_order(entry.order_key, BTC, Side.BUY, Decimal("0.7"), state, entry.strategy_id)
    whole = msgspec.structs.replace(order(Side.SELL, "1", 1), leaves=Decimal(1))

    fitted = fit_exit(whole, RiskLimits(), state)

    assert (fitted.quantity, fitted.reason) == (
        Decimal("0.3"),
        "out; asked to exit 1, only 0.3 is filled",
    )
    assert rest_of_exit(whole, fitted, state) == Decimal("0.7")
    assert before_exit(whole, state) == Before(
        free=Decimal("0.3"), entering={entry.order_key: Decimal("0.7")}
    )


def test_while_its_entry_fills_it_leaves_nothing_that_a_stop_is_to_leave() -> None:
    """Its strategy counts that as left, beside what it leaves itself."""
    state = RiskState(open_orders={})
    accept(order(Side.BUY, "1", 1), state)
    follow_order(order(Side.BUY, "1", 1).order_key, BTC, Side.BUY, Decimal(0), state)
    accept(order(Side.BUY, "2", 2), state)
    state.spoken_for[StrategyId("s"), BTC] = Decimal("0.7")

    out = fit_exit(leaving("2", "2"), SPOT, state)

    assert out.quantity == Decimal("0.3")
    before = before_exit(leaving("2", "2"), state)
    assert before is not None
    assert before.free == Decimal("0.3")


def test_with_nothing_to_come_it_leaves_that_too() -> None:
    state = RiskState(open_orders={})
    accept(order(Side.BUY, "1", 1), state)
    follow_order(order(Side.BUY, "1", 1).order_key, BTC, Side.BUY, Decimal(0), state)
    state.spoken_for[StrategyId("s"), BTC] = Decimal("0.7")

    assert fit_exit(leaving("1", "1"), SPOT, state).quantity == 1


def test_one_that_has_waited_leaves_what_was_bought_before_it() -> None:
    state = RiskState(open_orders={}, instruments={BTC: GRID})
    accept(order(Side.BUY, "1"), state)
    state.open_orders = {}
    whole = msgspec.structs.replace(order(Side.SELL, "1", 1), leaves=Decimal(1))
    state.bought_before[whole.order_key] = Decimal("0.4")

    assert fit_exit(whole, RiskLimits(), state).quantity == Decimal("0.4")
    state.bought_before[whole.order_key] = Decimal(2)
    assert fit_exit(whole, RiskLimits(), state) is whole


def test_the_part_that_turns_a_position_around_waits_for_nothing() -> None:
    """It is new risk. For what has not filled nothing follows: what fills of that is covered."""
    state = RiskState(open_orders={})
    accept(order(Side.BUY, "1"), state)
    both = msgspec.structs.replace(order(Side.SELL, "3", 1), leaves=Decimal(1))

    fitted = fit_exit(both, RiskLimits(), state)

    assert (fitted.quantity, fitted.leaves) == (Decimal(2), Decimal(0))
    assert rest_of_exit(both, fitted, state) == 0


# ------------------------------------------------------------------ one order


def small(most: str) -> RiskState:
    """A venue that takes little in one market order, of which one was bought."""
    state = RiskState(open_orders={}, flows=Flows())
    state.instruments[BTC] = msgspec.structs.replace(GRID, max_market_quantity=Decimal(most))
    traded(state, Side.BUY, Decimal(1), Decimal("0.001"), "BTC")
    return state


def all_of_it(quantity: str = "1", **changes: Any) -> OrderIntent:
    one = msgspec.structs.replace(order(Side.SELL, quantity, 9), leaves=Decimal(quantity))
    return msgspec.structs.replace(one, **changes)


def test_an_exit_is_no_more_than_the_venue_takes_in_one_order() -> None:
    state = small("0.400001")

    fitted = fit_exit(all_of_it(), SPOT, state)

    assert fitted.quantity == Decimal("0.4")
    assert fitted.reason.endswith("; of 0.999, the venue takes 0.4 in one order")
    assert is_part(fitted.reason)
    assert fees_in(fitted.reason) == 0, "they are taken of the last part"


def test_what_is_no_exit_at_the_market_is_not_made_to_fit_one_order() -> None:
    resting = all_of_it(order_type=OrderType.LIMIT, limit_price=Decimal(60_000))

    assert fit_exit(order(Side.BUY, "2"), SPOT, small("0.4")).quantity == 2
    assert fit_exit(resting, SPOT, small("0.4")).quantity == Decimal("0.999")
    assert fit_exit(all_of_it(), SPOT, small("1")).quantity == Decimal("0.999")


@pytest.mark.parametrize("quantity", ["NaN", "sNaN", "Infinity"])
def test_what_is_no_quantity_is_left_for_the_gate_to_refuse(quantity: str) -> None:
    sell, state = order(Side.SELL, quantity, 9), small("0.4")

    no = refusal(fit_exit(sell, SPOT, state), SPOT, state, None)

    assert no is not None
    assert no.code == "invalid_quantity"
