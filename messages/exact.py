"""Arithmetic that loses no digit of money, and which numbers are money at all."""

from decimal import Context, Decimal

EXACT = Context(prec=100)
"""Sums and products of sane amounts are exact in it; the default context rounds to 28 digits."""

NOTHING = Decimal(0)

_LARGEST = Decimal(10) ** 15
_SMALLEST = Decimal(10) ** -18


def is_sane(amount: Decimal) -> bool:
    """Whether this can be a price or a quantity: finite, above 0, of a size that exists."""
    return amount.is_finite() and _SMALLEST <= amount <= _LARGEST


def is_sane_signed(amount: Decimal) -> bool:
    """Whether this can be a fee: finite, of a size that exists, of either sign or 0."""
    return amount.is_finite() and -_LARGEST <= amount <= _LARGEST
