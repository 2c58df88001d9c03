"""What is wrong with a row that is no candle, or no trade, in a sentence."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from exchanges.times import time_ns
from messages.exact import NOTHING

_LONGEST_FIELD = 64


def why_not_a_trade(fields: Sequence[str]) -> str:
    """Say in a sentence what is wrong with a row that is known to be no trade."""
    wrong = _wrong_number(fields[1:3], ("price", "quantity")) or _wrong_time(fields[0])
    return wrong or "price and quantity must be more than 0"


def why_not_a_candle(fields: Sequence[str]) -> str:
    """Say in a sentence what is wrong with a row that is known to be no candle."""
    if len(fields) != 6:
        return "not the columns that the other rows have"
    names = ("open", "high", "low", "close", "volume")
    wrong = _wrong_time(fields[0]) or _wrong_number(fields[1:], names)
    if wrong:
        return wrong
    opened, high, low, close, volume = (Decimal(text) for text in fields[1:])
    if min(opened, high, low, close) <= NOTHING or volume < NOTHING:
        return "a price is not more than 0, or the volume is negative"
    if high < low:
        return f"high {high} is below low {low}"
    if max(opened, close) > high or min(opened, close) < low:
        return "open or close is outside of low and high"
    return "a number is too large or too small to be true"


def _wrong_time(text: str) -> str:
    try:
        time_ns(text)
    except ValueError:
        return f"{_shown(text)} is not a time"
    return ""


def _wrong_number(texts: Sequence[str], names: Sequence[str]) -> str:
    for name, text in zip(names, texts, strict=True):
        try:
            if Decimal(text).is_finite():
                continue
        except InvalidOperation:
            pass
        return f"{name} {_shown(text)} is not a number"
    return ""


def _shown(text: str) -> str:
    return ascii(text[:_LONGEST_FIELD])
