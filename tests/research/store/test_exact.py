"""Candles are taken as the feed takes them, and a number is written exactly and in one way."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.row_filter import candles
from exchanges.row_tally import Tally
from exchanges.source import SourceStats
from messages.ids import DurationNs
from research.candle_row import exact_text, row_of
from tests.research.candles import BTC, MINUTE_MS, T0_MS

texts = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.sampled_from(["", "abc", "1e5", "1.50", "0", "-1", "1e-20", "1e19", "100", "90", "110"]),
    st.integers(90, 110).map(str),
)


@pytest.mark.slow
@given(fields=st.lists(texts, min_size=4, max_size=6))
def test_the_store_takes_what_the_feed_takes_and_nothing_else(fields: list[str]) -> None:
    raw = [str(T0_MS), *fields]
    told = list(candles([(1, raw)], BTC, DurationNs(MINUTE_MS * 10**6), Tally(SourceStats(), "x")))
    try:
        kept = row_of(raw, MINUTE_MS)
    except ValueError:
        assert told == []
        return
    (candle,) = told
    exact = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    assert tuple(map(Decimal, kept[1:])) == exact
    assert not any("e" in text.lower() or text.endswith(".") for text in kept[1:])


def test_nothing_is_written_in_one_way() -> None:
    assert {exact_text(Decimal(text)) for text in ("0", "-0", "0.00", "-0.0", "0E-8", "0E+3")} == {
        "0"
    }


@pytest.mark.slow
@given(st.decimals(allow_nan=False, allow_infinity=False, places=None))
def test_a_number_is_written_in_one_way_and_exactly(number: Decimal) -> None:
    if number.adjusted() > 60 or number.as_tuple().exponent < -60:  # type: ignore[operator]  # an int, of a finite number
        return
    text = exact_text(number)

    assert Decimal(text) == number
    assert text == exact_text(Decimal(text + ("0" if "." in text else ".000")))
