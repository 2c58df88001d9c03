"""From exact amounts and nanoseconds to what a chart draws."""

from decimal import Decimal

from decisions.spoken import places_of_money
from messages.ids import NS_PER_S

_DIGITS = 7


def drawn(amount: Decimal | float) -> float:
    """Give seven digits: more than any screen has points."""
    return float(f"{amount:.{_DIGITS}g}")


def seconds(ts_ns: int) -> float:
    """Give a moment in seconds since 1970, to the microsecond."""
    return round(ts_ns / NS_PER_S, 6)


def shown(amount: Decimal, most: int = 8) -> str:
    """Give an amount of money for a person: two digits after the point, more if it is small."""
    if not amount.is_finite():
        return str(amount)
    text = f"{amount:,.{places_of_money(amount, most)}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text
