"""Where fees were taken in what was bought, an exit is of what they have left of that."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.risk import (
    RiskLimits,
    RiskState,
    accept,
    fit_exit,
    refusal,
    write_off,
)
from decisions.risk_exit import fees_in, rest_of_exit
from messages.ids import OrderKey, StrategyId
from messages.orders import OrderIntent
from messages.values import Side
from tests.decisions.exit_orders import BTC, GRID, SPOT, account, leaving, left, order, traded


@pytest.fixture
def bought() -> RiskState:
    """0.01 BTC, a thousandth of it gone for the fee: 0.00999 are there."""
    state = account()
    traded(state, Side.BUY, Decimal("0.01"), Decimal("0.00001"), "BTC")
    return state


def test_a_whole_exit_leaves_out_the_fee(bought: RiskState) -> None:
    fitted = fit_exit(order(Side.SELL, "0.01"), SPOT, bought)

    assert fitted.quantity == Decimal("0.00999")
    assert fitted.reason == "out; of 0.01, fees have left 0.00999"


def test_what_is_left_is_cut_to_the_venues_step() -> None:
    state = account()
    traded(state, Side.BUY, Decimal("0.01"), Decimal("0.0000001"), "BTC")

    assert fit_exit(order(Side.SELL, "0.01"), SPOT, state).quantity == Decimal("0.00999")


def test_a_part_that_is_there_is_sold_as_it_is(bought: RiskState) -> None:
    part = order(Side.SELL, "0.00999")

    assert fit_exit(part, SPOT, bought) is part


def test_nothing_follows_what_fees_have_taken(bought: RiskState) -> None:
    whole = msgspec.structs.replace(order(Side.SELL, "0.01"), leaves=Decimal("0.01"))

    assert rest_of_exit(whole, fit_exit(whole, SPOT, bought), bought) == 0


def test_a_fee_in_another_currency_takes_nothing_away() -> None:
    state = account()
    traded(state, Side.BUY, Decimal("0.01"), Decimal("0.0002"), "BNB")
    whole = order(Side.SELL, "0.01")

    assert fit_exit(whole, SPOT, state) is whole


def test_more_than_was_bought_is_left_for_the_gate_to_refuse(bought: RiskState) -> None:
    more = order(Side.SELL, "0.02")

    assert fit_exit(more, SPOT, bought) is more


def test_what_is_on_sale_already_is_not_counted_again(bought: RiskState) -> None:
    accept(order(Side.SELL, "0.004", 7), bought)

    assert fit_exit(order(Side.SELL, "0.006"), SPOT, bought).quantity == Decimal("0.00599")


@pytest.mark.parametrize(
    ("side", "limits"), [(Side.BUY, SPOT), (Side.SELL, RiskLimits(allow_short=True))]
)
def test_buys_and_accounts_that_may_be_short_are_not_touched(
    bought: RiskState, side: Side, limits: RiskLimits
) -> None:
    one = order(side, "0.01")

    assert fit_exit(one, limits, bought) is one


def test_where_nothing_is_known_of_fees_or_steps_nothing_is_changed(bought: RiskState) -> None:
    whole = order(Side.SELL, "0.01")
    assert fit_exit(whole, SPOT, msgspec.structs.replace(bought, flows=None)) is whole
    assert fit_exit(whole, SPOT, msgspec.structs.replace(bought, instruments={})) is whole


@given(
    st.lists(
        st.tuples(st.integers(1, 5_000), st.integers(0, 20)),  # steps bought, fee in 1/10 steps
        min_size=1,
        max_size=8,
    )
)
def test_round_trip_after_round_trip_no_coin_is_sold_that_the_run_does_not_have(
    trips: list[tuple[int, int]],
) -> None:
    state, there = account(), Decimal(0)
    for steps, tenths in trips:
        quantity = steps * GRID.quantity_step
        fee = min(tenths * GRID.quantity_step / 10, quantity)
        traded(state, Side.BUY, quantity, fee, "BTC")
        there += quantity - fee
        out = fit_exit(order(Side.SELL, quantity, 1_000), SPOT, state)
        if out.quantity:
            traded(state, Side.SELL, out.quantity, Decimal(1), "USDT")
            write_off(out.strategy_id, BTC, fees_in(out.reason), state)
            there -= out.quantity
        else:
            assert there < GRID.quantity_step, "less than a step is left, and nothing fits"
            assert refusal(out, SPOT, state, None), "nothing is sent for it"
        assert 0 <= there < 2 * GRID.quantity_step * (1 + len(trips))


def test_what_fees_took_of_an_exit_that_filled_is_held_by_nobody(bought: RiskState) -> None:
    """Else it would add up to a position, trip by trip: a phantom before the position limit."""
    left(bought, "0.01")

    assert bought.exposure[BTC] == bought.held_by[StrategyId("s"), BTC] == 0
    assert bought.flows is not None
    assert bought.flows.bought[BTC] == bought.flows.base_fees[BTC] == 0


def opened(state: RiskState, out: OrderIntent) -> OrderIntent:
    """An exit is made to fit, and claimed."""
    fits = fit_exit(out, SPOT, state)
    accept(fits, state, fees_in(fits.reason))
    return fits


def test_what_fees_took_of_an_exit_that_is_open_is_no_other_exits_to_sell() -> None:
    """Of a strategy that could not buy all that it wanted, it was written off with both."""
    state = account()
    traded(state, Side.BUY, Decimal("0.01"), Decimal("0.00001"), "BTC")
    first = opened(state, leaving("0.01", "0.01"))
    assert first.quantity == Decimal("0.00999")
    traded(state, Side.BUY, Decimal("0.01"), Decimal("0.00001"), "BTC")

    second = opened(state, leaving("0.03", "0.03"))

    assert (second.quantity, fees_in(second.reason)) == (Decimal("0.00999"), Decimal("0.00001"))
    for one in (first, second):
        write_off(one.strategy_id, BTC, fees_in(one.reason), state)
    assert state.held_by[StrategyId("s"), BTC] == state.exposure[BTC] == 0


def test_nor_is_it_another_strategys() -> None:
    state = account()
    traded(state, Side.BUY, Decimal("0.01"), Decimal("0.00001"), "BTC")
    traded(state, Side.BUY, Decimal("0.01"), Decimal("0.00001"), "BTC", "other")
    opened(state, leaving("0.01", "0.01"))

    another = msgspec.structs.replace(leaving("0.01", "0.01"), strategy_id=StrategyId("other"))

    assert opened(state, another).quantity == Decimal("0.00999")


def test_after_a_round_trip_an_exit_of_a_buy_that_was_refused_is_refused(bought: RiskState) -> None:
    """It was sent as what the fee had taken: coins that were there before."""
    left(bought, "0.01")
    again = fit_exit(leaving("0.01", "0.01"), SPOT, bought)

    against = refusal(again, SPOT, bought, None)

    assert against is not None
    assert against.code == "nothing_held"


def test_an_exit_of_which_fees_have_left_less_than_a_step_is_refused() -> None:
    state = account()
    traded(state, Side.BUY, Decimal("0.00001"), Decimal("0.00000001"), "BTC")

    against = refusal(fit_exit(order(Side.SELL, "0.00001"), SPOT, state), SPOT, state, None)

    assert against is not None
    assert against.code == "nothing_held"


def test_what_is_written_off_beyond_the_fee_is_there_for_the_next_fee() -> None:
    """The first exit left 0.000009 of a step behind; so the second leaves out nothing."""
    state = account()
    for expected in ("0.00999", "0.01"):
        traded(state, Side.BUY, Decimal("0.01"), Decimal("0.000001"), "BTC")
        assert left(state, "0.01").quantity == Decimal(expected)


def test_each_strategy_bears_its_own_fees_and_not_who_leaves_last() -> None:
    """The large one was sold whole, with the small one's coins, and nothing was left of those."""
    state = account()
    for who, quantity, fee in (("large", "0.1", "0.0001"), ("small", "0.0001", "0.0000001")):
        traded(state, Side.BUY, Decimal(quantity), Decimal(fee), "BTC", who)
    sold = {}
    for who, quantity in (("large", "0.1"), ("small", "0.0001")):
        out = msgspec.structs.replace(leaving(quantity, quantity), strategy_id=StrategyId(who))
        sold[who] = fit_exit(out, SPOT, state)
        accept(sold[who], state)

    assert {who: str(one.quantity.normalize()) for who, one in sold.items()} == {
        "large": "0.0999",
        "small": "0.00009",
    }


def test_what_may_yet_fill_pays_no_fee_of_what_has(bought: RiskState) -> None:
    """The exit was sent whole, with a coin of the other strategy, and that was short of it."""
    traded(bought, Side.BUY, Decimal("0.01"), Decimal("0.00001"), "BTC", "other")
    accept(order(Side.BUY, "0.005", 7), bought)
    mine = fit_exit(leaving("0.01", "0.01"), SPOT, bought)
    accept(mine, bought)
    others = msgspec.structs.replace(
        leaving("0.01", "0.01"), strategy_id=StrategyId("other"), order_key=OrderKey("8")
    )

    assert mine.quantity == Decimal("0.00999")
    assert fit_exit(others, SPOT, bought).quantity == Decimal("0.00999")


def test_what_fees_took_is_read_back_from_the_reason(bought: RiskState) -> None:
    fitted = fit_exit(order(Side.SELL, "0.01"), SPOT, bought)

    assert fees_in(fitted.reason) == Decimal("0.01") - fitted.quantity > 0
    assert fees_in("out; asked to exit 3, only 2 is held") == 0


@pytest.mark.parametrize(
    ("reason", "fees"),
    [
        ("out; of 3, fees have left 2.5", "0.5"),
        ("out; of 1E+2, fees have left 99", "1"),
        ("out; of 3E-8, fees have left 0.00000001", "2E-8"),
        ("out; of all, fees have left much", "0"),
        ("out; of NaN, fees have left Infinity", "0"),
        ("out; of 9E+999999, fees have left 1", "0"),
        ("out; of \u0663, fees have left 1", "0"),
    ],
)
def test_what_a_strategy_says_of_fees_breaks_no_restart(reason: str, fees: str) -> None:
    assert fees_in(reason) == Decimal(fees)
