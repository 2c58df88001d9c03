"""How long a bar is: ccxt's way of writing it."""

import re

from messages.ids import DAY_NS, NS_PER_S

_MONDAY_NS = 4 * DAY_NS
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_TIMEFRAME = re.compile(r"[1-9][0-9]{0,4}[smhdw]")


def grid_shift_ns(length_ns: int) -> int:
    """Give how long after the beginning of 1970, a Thursday, a bar of this length opened.

    Most exchanges begin their weeks on Mondays, and all of them what is shorter with a day of UTC.
    """
    return _MONDAY_NS if length_ns % (7 * DAY_NS) == 0 else 0


def opened_ns(ts_ns: int, length_ns: int, shift_ns: int | None = None) -> int:
    """Give when the bar that a moment lies in opened; `shift_ns` is by how much, if it is known."""
    shift = grid_shift_ns(length_ns) if shift_ns is None else shift_ns
    return (ts_ns - shift) // length_ns * length_ns + shift


def timeframe_ns(timeframe: object) -> int:
    """Give the length of a timeframe such as ``15m``.

    Raises:
        ValueError: it is none.
    """
    if not (isinstance(timeframe, str) and _TIMEFRAME.fullmatch(timeframe)):
        raise ValueError(f'{timeframe!r} is no timeframe, such as "15m", "4h" or "1d"')
    return int(timeframe[:-1]) * _SECONDS[timeframe[-1]] * NS_PER_S
