import pytest

from exchanges.times import parse_timeframe
from messages.errors import DataError
from messages.ids import NS_PER_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1m", 60), ("9999w", 9_999 * 604_800), ("9223372036s", 9_223_372_036)],
)
def test_a_timeframe_is_the_length_of_a_bar(text: str, seconds: int) -> None:
    assert parse_timeframe(text) == seconds * NS_PER_S


@pytest.mark.parametrize(
    "text", ["", "m", "0m", "-1m", "1", "1M", "9223372037s", "9" * 5_000 + "m"]
)
def test_one_that_64_bits_of_nanoseconds_cannot_hold_is_none(text: str) -> None:
    with pytest.raises(DataError, match="is not one like 30s, 1m") as caught:
        parse_timeframe(text)

    assert len(str(caught.value)) < 120
