"""Amounts as a person reads them: rounded, never with an exponent. For machines they stay exact.

Standard library only: `health` shows money.
"""

from decimal import Decimal, InvalidOperation

_DIGITS = 8
_LEAST_PLACES = 2


def spoken_quantity(amount: Decimal | str) -> str:
    """Give eight places, as fine as exchanges count, and at least eight digits."""
    return _rounded(amount, _DIGITS)


def spoken_price(amount: Decimal | str) -> str:
    """Give eight digits, at least two places: an average that never ends has no more to say."""
    return _rounded(amount, _LEAST_PLACES)


def spoken_money(amount: Decimal | str) -> str:
    """Give two places, and up to eight where the amount is small."""
    found = _number(amount)
    if found is None:
        return str(amount)
    text = f"{found:.{places_of_money(found)}f}"
    return text if text.strip("-0.") else text.lstrip("-")


def places_of_money(amount: Decimal, most: int = _DIGITS) -> int:
    """Say how many places show at least two digits of it, from two to `most`."""
    places = _LEAST_PLACES
    while places < most and amount and abs(amount) < Decimal(1).scaleb(1 - places):
        places += 1
    return places


def _rounded(amount: Decimal | str, least_places: int) -> str:
    found = _number(amount)
    if found is None:
        return str(amount)
    text = f"{found:.{max(least_places, _DIGITS - 1 - found.adjusted())}f}" if found else "0.0"
    return text.rstrip("0").rstrip(".")


def _number(amount: Decimal | str) -> Decimal | None:
    """Give it as a number; None for what is none, which is shown as it is."""
    try:
        found = Decimal(amount)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
