"""Text to time: timeframes, and moments as recordings write them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from messages.errors import DataError
from messages.ids import NS_PER_S, DurationNs

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_NUMBER = 10
"""Digits; more seconds than 64 bits of nanoseconds hold."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS = 1 << 62
"""In the year 2116; what claims to be later is not a time."""


def parse_timeframe(text: str) -> DurationNs:
    """Give the length of a bar: ``30s``, ``1m``, ``5m``, ``1h``, ``1d``, ``1w``.

    Raises:
        DataError: it is none of these.
    """
    number, unit = text[:-1], text[-1:]
    is_number = number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER
    length_ns = int(number) * _UNIT_S.get(unit, 0) * NS_PER_S if is_number else 0
    if not 0 < length_ns < 1 << 63:
        raise DataError(f"timeframe {text[:40]!r} is not one like 30s, 1m, 5m, 1h, 1d or 1w")
    return DurationNs(length_ns)


def time_ns(text: str) -> int:
    """Read seconds, ms, us or ns since 1970, told apart by magnitude, or ISO 8601 (else UTC).

    Raises:
        ValueError: it is no time between 1970 and 2116.
    """
    try:
        number = int(text)
    except ValueError:
        return _slow_time_ns(text)
    return whole_time_ns(number)


def whole_time_ns(number: int) -> int:
    """Read a whole number of seconds, ms, us or ns since 1970, told apart by magnitude.

    Raises:
        ValueError: it is no time between 1970 and 2116.
    """
    return _checked(number * _factor(number), str(number))


def _checked(nanoseconds: int, text: str) -> int:
    if not 0 < nanoseconds < _LATEST_NS:
        raise ValueError(f"{text[:40]!r} is not a time")
    return nanoseconds


def _factor(number: int | Decimal) -> int:
    if number < 10**11:
        return NS_PER_S
    if number < 10**14:
        return 1_000_000
    return 1_000 if number < 10**17 else 1


def _slow_time_ns(text: str) -> int:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _checked(_iso_ns(text), text)
    in_range = number.is_finite() and 0 < number < _LATEST_NS
    return _checked(int(number * _factor(number)) if in_range else 0, text)


def _iso_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
