from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ids import Symbol
from messages.values import Instrument
from strategies.sizing import price_to_float, quantity_for_notional, quantity_from_float

BTC = Instrument(symbol=Symbol("BTC/USDT"))
money = st.decimals("0.01", "1000000", places=2)


def test_a_quantity_costs_no_more_than_the_notional_and_lies_on_the_grid() -> None:
    assert quantity_for_notional(Decimal(100), Decimal("61480.20"), BTC) == Decimal("0.00162")


@given(notional=money, price=money)
def test_no_larger_quantity_on_the_grid_would_have_been_affordable(
    notional: Decimal, price: Decimal
) -> None:
    quantity = quantity_for_notional(notional, price, BTC)

    step = BTC.quantity_step
    assert quantity % step == 0
    assert quantity * price <= notional
    if quantity:
        assert (quantity + step) * price > notional
        assert quantity >= BTC.min_quantity
        assert quantity * price >= BTC.min_notional


@pytest.mark.parametrize(
    ("notional", "price"),
    [("4.99", "100"), ("100", "0"), ("100", "-5"), ("0", "100"), ("-1", "100")],
)
def test_what_the_venue_would_not_accept_is_no_quantity_at_all(notional: str, price: str) -> None:
    assert quantity_for_notional(Decimal(notional), Decimal(price), BTC) == 0


def test_less_than_the_smallest_quantity_is_nothing() -> None:
    coarse = Instrument(symbol=BTC.symbol, min_quantity=Decimal(1), quantity_step=Decimal("0.1"))

    assert quantity_for_notional(Decimal(95), Decimal(100), coarse) == 0


def test_a_float_quantity_is_read_as_the_decimal_it_shows_and_rounded_toward_zero() -> None:
    tenths = Instrument(symbol=BTC.symbol, quantity_step=Decimal("0.1"))

    assert quantity_from_float(0.3, tenths) == Decimal("0.3")
    assert quantity_from_float(0.39, tenths) == Decimal("0.3")


@pytest.mark.parametrize("quantity", [float("nan"), float("inf")])
def test_a_quantity_that_is_no_number_is_refused(quantity: float) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity_from_float(quantity, BTC)


def test_a_price_crosses_to_the_nearest_float() -> None:
    assert price_to_float(Decimal("61480.20")) == 61480.2
