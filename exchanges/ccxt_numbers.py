"""Numbers, moments and names as ccxt gives them; `number = str` has it give numbers as text."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from messages.ids import NS_PER_MS, TimestampNs
from messages.texts import is_writable

_LATEST_MS = 2**63 // NS_PER_MS
"""In the year 2262, the last that a ledger's row can hold: what is more is told in a finer unit."""


class Unclear(ValueError):
    """The exchange's answer cannot be read as what it should be; nothing is known from it."""


def number(value: Any) -> Decimal | None:
    """Read a finite number that came as text or as an int; None for none.

    Raises:
        Unclear: it is something else.
    """
    if value is None:
        return None
    if isinstance(value, bool | float):
        raise Unclear(f"{value!r} is not exact")
    try:
        read = Decimal(value)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise Unclear(f"{value!r} is not a number") from error
    if not read.is_finite():
        raise Unclear(f"{value!r} is not a number")
    return read


def name_in(told: Mapping[str, Any], field: str) -> str:
    """Give a name of the exchange's own, which is kept as it is; "" where it tells none.

    Raises:
        Unclear: no file can hold it.
    """
    name = str(told.get(field) or "")
    if not is_writable(name):
        raise Unclear(f"{name!r} is not to be written down")
    return name


def milliseconds_ns(value: Any, otherwise: int = 0) -> TimestampNs:
    """Turn ccxt's milliseconds into nanoseconds; of one of KuCoin's streams it gives those."""
    if not isinstance(value, int) or value <= 0:
        return TimestampNs(otherwise)
    while value >= _LATEST_MS:
        value //= 1_000
    return TimestampNs(value * NS_PER_MS)
