"""A recording is opened only with the timeframe that its candles have, where they tell it."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from exchanges.replay import ReplaySource
from exchanges.times import parse_timeframe
from messages.errors import DataError
from messages.ids import NS_PER_S, Symbol

_LOOKED_AT = 512
_ENOUGH = 8
"""A spacing that is seen less often tells nothing."""
_UNITS_S = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}


def open_fitting(path: Path | Sequence[Path], symbol: Symbol, timeframe: str) -> ReplaySource:
    """Open a recording.

    Raises:
        DataError: its first candles are clearly of another length; or as `ReplaySource` does.
    """
    source = ReplaySource(path, symbol, timeframe)
    found_ns = other_length_ns(source.first_times(_LOOKED_AT), parse_timeframe(timeframe))
    if found_ns:
        raise DataError(_mismatch(source.first_path, found_ns, timeframe))
    return source


def other_length_ns(times: Sequence[int], timeframe_ns: int) -> int:
    """Give how long candles that open at these times clearly are, if not `timeframe_ns`; else 0.

    Holes make spacings longer, never shorter. So a spacing that most of them share, and that is
    longer than the timeframe, tells nothing where there is a shorter one: that of a thin market,
    or of months, which have no length.
    """
    spacings = Counter(after - before for before, after in pairwise(times) if after > before)
    usual_ns, count = max(spacings.items(), key=lambda one: one[1], default=(0, 0))
    if count < _ENOUGH or 2 * count <= spacings.total() or usual_ns == timeframe_ns:
        return 0
    return 0 if timeframe_ns < usual_ns != min(spacings) else usual_ns


def _mismatch(path: Path, found_ns: int, timeframe: str) -> str:
    length = _length(found_ns)
    text = f"{path}: the recording has {length} candles, feed.timeframe says {timeframe}"
    if parse_timeframe(timeframe) % found_ns:
        return f"{text}: correct it"
    return (
        f"{text}: correct it, or make longer candles of them"
        f" (watchkeeper data import --timeframe {length}, then"
        f" watchkeeper data resample --timeframe {length} --to {timeframe})"
    )


def _length(length_ns: int) -> str:
    for unit, seconds in _UNITS_S.items():
        count, rest = divmod(length_ns, seconds * NS_PER_S)
        if not rest:
            return f"{count}{unit}"
    return f"{length_ns / NS_PER_S:g}s"
