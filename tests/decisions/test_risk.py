from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.risk import RiskLimits, RiskState, accept, refusal, release
from messages.values import Instrument, OrderType, Side
from tests.decisions.risk_orders import BTC, CROSS, FREE, at, code, holding, intent, only, text


def test_without_limits_a_sane_order_is_let_through() -> None:
    assert code(intent()) is None


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "sNaN", "Infinity", "1E+16", "1E-19"])
def test_a_quantity_that_makes_no_sense_is_refused(quantity: str) -> None:
    assert code(intent(quantity)) == "invalid_quantity"


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "sNaN", "-Infinity", "1E+16"])
def test_a_price_that_makes_no_sense_is_refused(price: str) -> None:
    assert code(intent(price=price)) == "invalid_price"
    assert code(intent(limit_price=price)) == "invalid_price"
    assert code(intent(), mark=price) == "invalid_price"


def test_a_limit_order_without_a_limit_and_a_market_order_with_one_are_refused() -> None:
    limit = intent(limit_price="100")

    assert code(msgspec.structs.replace(limit, limit_price=None)) == "invalid_price"
    assert code(msgspec.structs.replace(limit, order_type=OrderType.MARKET)) == "invalid_price"


def test_an_order_of_just_the_allowed_notional_passes_and_a_little_more_does_not() -> None:
    limits = RiskLimits(max_order_notional=Decimal(1000))

    assert code(intent("10"), limits) is None
    assert code(intent("10.00001"), limits) == "max_order_notional"


def test_small_and_large_numbers_are_said_as_people_write_them() -> None:
    """Of SHIB/BTC a price is 1.1E-7 to Python, and a step of thousands 1E+3."""
    one = intent("5E+3", price="0.00000011", limit_price="0.00000011", symbol=CROSS)
    grid = Instrument(symbol=CROSS, price_tick=Decimal("1E-8"), quantity_step=Decimal("1E+4"))
    at_a_venue = RiskState(instruments={CROSS: grid})

    assert text(one, only("max_order_notional", Decimal("1E-5")), RiskState()) == (
        "5000 at 0.00000011 is more than 0.00001 for one order"
    )
    assert text(one, FREE, at_a_venue) == "5000 is off the venue's step 10000"


@pytest.mark.parametrize("name", ["max_order_notional", "max_position_notional"])
def test_a_notional_is_held_to_the_amount_of_its_own_currency(name: str) -> None:
    limits = only(name, {"USDT": Decimal(200), "BTC": Decimal("0.1")})
    state = RiskState()

    assert code(intent("2", price="100"), limits, state) is None
    assert code(intent("2.1", price="100"), limits, state) == name
    assert code(intent("2", price="0.05", symbol=CROSS), limits, state) is None
    assert code(intent("2.1", price="0.05", symbol=CROSS), limits, state) == name


def test_a_market_order_is_valued_at_the_higher_of_its_price_and_the_mark() -> None:
    limits = RiskLimits(max_order_notional=Decimal(1000))

    assert code(intent("10", price="90"), limits, mark="101") == "max_order_notional"
    assert code(intent("10", price="101"), limits, mark="90") == "max_order_notional"


def test_a_limit_order_is_valued_at_its_limit() -> None:
    limits = RiskLimits(max_order_notional=Decimal(1000))

    assert code(intent("10", limit_price="100"), limits, mark="150") is None


def test_a_position_is_limited_with_open_orders_counted_as_filled() -> None:
    limits = RiskLimits(max_position_notional=Decimal(1000))
    state = RiskState()
    accept(intent("6"), state)

    assert code(intent("4"), limits, state) is None
    assert code(intent("5"), limits, state) == "max_position_notional"


def test_a_short_position_is_limited_like_a_long_one() -> None:
    limits = RiskLimits(max_position_notional=Decimal(1000))

    assert code(intent("5", Side.SELL), limits, holding("-6")) == "max_position_notional"


def test_what_brings_the_position_down_passes_its_limit_however_far_over_it_is() -> None:
    limits = RiskLimits(max_position_notional=Decimal(1000))

    assert code(intent("1", Side.SELL), limits, holding("50")) is None
    assert code(intent("50", Side.SELL), limits, holding("50")) is None


def test_turning_a_position_into_one_just_as_large_is_not_bringing_it_down() -> None:
    limits = RiskLimits(max_position_notional=Decimal(1000))

    assert code(intent("100", Side.SELL), limits, holding("50")) == "max_position_notional"


def test_the_part_that_turns_a_position_around_is_new_risk() -> None:
    state = RiskState(exposure={BTC: Decimal(10)}, unsettled={BTC})

    assert code(intent("10", Side.SELL), FREE, state) is None
    assert code(intent("11", Side.SELL), FREE, state) == "unknown_outcome"


def test_of_an_order_that_turns_around_only_the_new_part_is_valued() -> None:
    limits = RiskLimits(max_order_notional=Decimal(1000))

    assert code(intent("60", Side.SELL), limits, holding("50")) is None
    assert code(intent("61", Side.SELL), limits, holding("50")) == "max_order_notional"


def test_an_unknown_outcome_stops_new_risk_on_its_symbol_and_not_the_way_out() -> None:
    state = RiskState(exposure={BTC: Decimal(1)}, unsettled={BTC})

    assert code(intent("1"), FREE, state) == "unknown_outcome"
    assert code(intent("1", Side.SELL), FREE, state) is None


def test_orders_are_counted_over_any_minute_of_the_market() -> None:
    limits = RiskLimits(max_orders_per_minute=2)
    state = RiskState()
    for second in (0, 30):
        accept(intent(second=second), state)

    assert code(intent(second=59), limits, state) == "max_orders_per_minute"
    assert code(intent(second=60), limits, state) is None


def test_only_the_last_minute_of_orders_is_remembered() -> None:
    state = RiskState()

    for second in range(0, 600, 10):
        accept(intent(second=second), state)

    assert len(state.decided[BTC]) == 6


def test_an_order_of_a_strategy_that_is_behind_is_counted_in_its_place() -> None:
    limits, state = RiskLimits(max_orders_per_minute=3), RiskState()
    for second in (50, 10, 30):
        accept(intent(second=second), state)

    assert list(state.decided[BTC]) == [at(10), at(30), at(50)]
    assert code(intent(second=69), limits, state) == "max_orders_per_minute"
    assert code(intent(second=70), limits, state) is None


def test_what_will_never_fill_is_given_back() -> None:
    state = RiskState()
    accept(intent("5", Side.SELL), state)

    release(BTC, Side.SELL, Decimal(2), state)

    assert state.exposure[BTC] == -3


def test_a_refusal_says_why_to_a_person() -> None:
    limits = RiskLimits(max_order_notional=Decimal(1000))

    against = refusal(intent("11"), limits, RiskState(), None)

    assert against is not None
    assert against.text == "11 at 100 is more than 1000 for one order"


@given(
    orders=st.lists(
        st.tuples(st.sampled_from(Side), st.decimals("0.1", "20", places=1)), max_size=40
    )
)
def test_no_sequence_of_orders_brings_the_position_over_its_limit(
    orders: list[tuple[Side, Decimal]],
) -> None:
    limits = RiskLimits(max_position_notional=Decimal(1000))
    state = RiskState()

    for side, quantity in orders:
        order = intent(str(quantity), side)
        if refusal(order, limits, state, None) is None:
            accept(order, state)

        assert abs(state.exposure.get(BTC, Decimal(0))) * 100 <= 1000
