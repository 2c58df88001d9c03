"""One candle as the store keeps it: exact, and written in one way only. Pure."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from exchanges.row_faults import why_not_a_candle
from exchanges.times import time_ns
from messages.exact import NOTHING
from messages.ids import NS_PER_MS
from research.series import grid_shift_ms

StoredRow = tuple[int, str, str, str, str, str]
"""Open time in ms UTC; open, high, low, close in quote currency, volume in base, as text."""

Numbers = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]
"""Open time in ns; open, high, low, close, volume."""

_SMALLEST, _LARGEST = Decimal("1e-18"), Decimal("1e18")
_FINEST = Decimal("1e-60")
"""Of a volume: written in full, as a row is stored, `1e-999999999` takes a gigabyte."""


def exact_text(number: Decimal) -> str:
    """Write a number in full, without an exponent or zeros at its end; equal ones alike."""
    if not number:
        return "0"  # also what is written -0 or 0E-8
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def candle_of(fields: Sequence[str]) -> Numbers:
    """Read open time, open, high, low, close, volume.

    Raises:
        ValueError: it is no candle; the text says why.
    """
    try:
        time, *texts = fields
        open_ns = time_ns(time)
        opened, high, low, close, volume = [Decimal(text) for text in texts]
        is_sound = (
            _SMALLEST <= low <= opened <= high <= _LARGEST
            and low <= close <= high
            and NOTHING <= volume <= _LARGEST
        )
    except (ValueError, InvalidOperation):
        is_sound = False
    if not is_sound:
        raise ValueError(why_not_a_candle(fields))
    return open_ns, opened, high, low, close, volume


def row_of(fields: Sequence[str], timeframe_ms: int) -> StoredRow:
    """Read a candle of a length as it is stored.

    Raises:
        ValueError: it is no candle of this length; the text says why.
    """
    open_ns, *numbers = candle_of(fields)
    if not is_on_grid(open_ns, timeframe_ms):
        raise ValueError("does not open where a candle of this timeframe does, in UTC")
    if NOTHING < numbers[-1] < _FINEST:
        raise ValueError("a number is too large or too small to be true")
    o, h, lo, c, v = map(exact_text, numbers)
    return open_ns // NS_PER_MS, o, h, lo, c, v


def is_on_grid(open_ns: int, timeframe_ms: int) -> bool:
    """Whether a candle of this length may open then."""
    return (open_ns - grid_shift_ms(timeframe_ms) * NS_PER_MS) % (timeframe_ms * NS_PER_MS) == 0
