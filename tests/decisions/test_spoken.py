"""Amounts for people: as many digits as say something, and never an exponent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.spoken import spoken_money, spoken_price, spoken_quantity

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15)


@pytest.mark.parametrize(
    ("amount", "quantity", "price", "money"),
    [
        ("0E-8", "0", "0", "0.00"),
        ("-0E-8", "0", "0", "0.00"),
        ("60109.73123456789123", "60109.73123457", "60109.731", "60109.73"),
        ("1234.56789012", "1234.56789012", "1234.5679", "1234.57"),
        ("123456789.1234", "123456789.1234", "123456789.12", "123456789.12"),
        ("0.00166000", "0.00166", "0.00166", "0.0017"),
        ("1.1E-10", "0.00000000011", "0.00000000011", "0.00000000"),
        ("-0.4057123412341234", "-0.40571234", "-0.40571234", "-0.41"),
        ("1E+3", "1000", "1000", "1000.00"),
        ("NaN", "NaN", "NaN", "NaN"),
        ("of no sense", "of no sense", "of no sense", "of no sense"),
    ],
)
def test_what_a_person_reads_of_an_amount(
    amount: str, quantity: str, price: str, money: str
) -> None:
    assert (spoken_quantity(amount), spoken_price(amount), spoken_money(amount)) == (
        quantity,
        price,
        money,
    )


@given(AMOUNTS)
def test_what_is_rounded_is_near_and_has_no_exponent(amount: Decimal) -> None:
    for text in (spoken_quantity(amount), spoken_price(amount), spoken_money(amount)):
        assert "E" not in text
        assert abs(Decimal(text) - amount) <= max(abs(amount) * Decimal("1e-7"), Decimal("0.005"))
