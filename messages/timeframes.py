"""How long a bar is: ccxt's way of writing it."""

import re

from messages.ids import NS_PER_S

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_TIMEFRAME = re.compile(r"[1-9][0-9]{0,4}[smhdw]")


def timeframe_ns(timeframe: object) -> int:
    """Give the length of a timeframe such as ``15m``.

    Raises:
        ValueError: it is none.
    """
    if not (isinstance(timeframe, str) and _TIMEFRAME.fullmatch(timeframe)):
        raise ValueError(f'{timeframe!r} is no timeframe, such as "15m", "4h" or "1d"')
    return int(timeframe[:-1]) * _SECONDS[timeframe[-1]] * NS_PER_S
