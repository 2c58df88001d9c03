"""An exit is of what was bought; where fees were taken in that, of what they have left."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.account import Flows
from decisions.risk import (
    RiskLimits,
    RiskState,
    accept,
    fit_exit,
    follow_order,
    refusal,
    release,
    saw_fill,
    write_off,
)
from decisions.risk_exit import Before, before_exit, fees_in, is_part, rest_of_exit
from messages.ids import AccountId, OrderKey, StrategyId, Symbol, TimestampNs, TradeId
from messages.orders import Fill, OrderIntent
from messages.values import Instrument, Liquidity, OrderType, Side, TimeInForce

BTC = Symbol("BTC/USDT")
SPOT = RiskLimits(allow_short=False)
GRID = Instrument(
    symbol=BTC,
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(5),
)


def order(side: Side, quantity: Decimal | str, number: int = 0) -> OrderIntent:
    return OrderIntent(
        order_key=OrderKey(f"{number:032x}"),
        account=AccountId("a"),
        strategy_id=StrategyId("s"),
        symbol=BTC,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(quantity),
        limit_price=None,
        reference_price=Decimal(60_000),
        decided_at_ns=TimestampNs(number),
        ts_created_ns=TimestampNs(number),
        reason="out",
    )


def traded(
    state: RiskState, side: Side, quantity: Decimal, fee: Decimal, currency: str, who: str = "s"
) -> None:
    """An order is claimed and fills at once."""
    number = state.flows.fills if state.flows else 0
    one = msgspec.structs.replace(order(side, quantity, number), strategy_id=StrategyId(who))
    accept(one, state)
    assert state.open_orders is not None
    state.open_orders.pop(one.order_key)
    fill = Fill(
        trade_id=TradeId(f"t{number}"),
        price=Decimal(60_000),
        quantity=quantity,
        fee=fee,
        fee_currency=currency,
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(number),
    )
    saw_fill(BTC, side, fill, state, one.strategy_id)


def left(state: RiskState, quantity: str, fee: str = "0.5") -> OrderIntent:
    """An exit of that, made to fit, filled, and written off as the executor does it."""
    out = fit_exit(order(Side.SELL, quantity), SPOT, state)
    traded(state, Side.SELL, out.quantity, Decimal(fee), "USDT")
    write_off(out.strategy_id, BTC, fees_in(out.reason), state)
    return out


def account() -> RiskState:
    return RiskState(open_orders={}, flows=Flows(), instruments={BTC: GRID})


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


# ------------------------------------------------------------------ what is really held

FREE = RiskLimits()


def leaving(quantity: str, leaves: str, side: Side = Side.SELL) -> OrderIntent:
    return msgspec.structs.replace(order(side, quantity), leaves=Decimal(leaves))


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
