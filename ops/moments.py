"""Moments as people write them, and as they read them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from messages.errors import ConfigError
from messages.ids import NS_PER_MS, NS_PER_S
from ops.bounds import LARGEST_INTEGER
from ops.config_reader import printable
from ops.config_schema import SECONDS_PER_UNIT

_RULE = (
    "expected a time in UTC before 2262, such as 2026-01-31 or 2026-01-31T12:00:00, a span back"
    " from now such as 90s, 15m, 2h or 7d, or nanoseconds since 1970"
)
_SHORTEST_NS = 15
"""Digits; fewer would be a time within twelve days of 1970, which nobody means."""


def since_ns(text: str | None, now_ns: Callable[[], int] = time.time_ns) -> int:
    """Read what stands behind `--since`; 0, the beginning, when nothing does.

    Raises:
        ConfigError: it is no moment.
    """
    if text is None:
        return 0
    moment_ns = _moment_ns(text, now_ns)
    if moment_ns is None or moment_ns > LARGEST_INTEGER:
        raise ConfigError([f"--since {printable(text)}: {_RULE}"])
    return max(moment_ns, 0)


def _moment_ns(text: str, now_ns: Callable[[], int]) -> int | None:
    number, unit = text[:-1], text[-1:]
    if text.isascii() and text.isdigit() and len(text) >= _SHORTEST_NS:
        return int(text) if len(text) <= len(str(LARGEST_INTEGER)) else None
    if unit in SECONDS_PER_UNIT and number.isascii() and number.isdigit() and len(number) < 10:
        return now_ns() - int(number) * SECONDS_PER_UNIT[unit] * NS_PER_S
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * NS_PER_S + moment.microsecond * 1_000


def utc(ts_ns: int) -> str:
    """Give a moment to the millisecond: ``2026-01-31 12:00:00.123``."""
    try:
        moment = datetime.fromtimestamp(ts_ns // NS_PER_S, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{ts_ns} ns"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ts_ns % NS_PER_S // NS_PER_MS:03d}"


def utc_with_zone(ts_ns: int) -> str:
    """Give it for a table, in which nothing else says that it is UTC."""
    return f"{utc(ts_ns)}Z"


def span(ns: int) -> str:
    """Give a length of time with three digits at the most, in the unit that suits it."""
    for unit, size in (("ns", 1), ("us", 1_000), ("ms", NS_PER_MS)):
        if abs(ns) < size * 1_000:
            return f"{ns / size:.3g} {unit}"
    seconds = ns / NS_PER_S
    if abs(seconds) < 100:
        return f"{seconds:.3g} s"
    for unit, size in (("min", 60), ("h", 3_600)):
        if abs(seconds) < size * 100:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.3g} days"
