"""Which numbers are money at all."""

from decimal import Decimal

import pytest

from messages.exact import is_sane, is_sane_signed


@pytest.mark.parametrize("text", ["nan", "snan", "inf", "9e999999999", "1e16"])
def test_what_is_no_money_is_refused_and_never_raised(text: str) -> None:
    amount = Decimal(text)
    assert not is_sane(amount)
    assert not is_sane_signed(amount)
    assert not is_sane_signed(amount.copy_negate())


@pytest.mark.parametrize("text", ["0", "-0", "-0.00000001", "1e15", "-1e15"])
def test_a_fee_has_either_sign_or_is_nothing(text: str) -> None:
    assert is_sane_signed(Decimal(text))
