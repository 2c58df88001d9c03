"""A recording of other candles than the config says is refused; one that tells nothing is not."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.fitting import open_fitting, other_length_ns
from messages.errors import DataError
from messages.ids import Symbol

BTC = Symbol("BTC/USDT")
S, M, H, D = 1, 60, 3_600, 86_400
MONTHS = [days * D for days in (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)]
T0 = 1_704_067_200


def opened(folder: Path, spacings: Sequence[int], timeframe: str, name: str = "candles.csv") -> int:
    """Open a recording whose candles are so many seconds apart; give how many are usable."""
    times = accumulate(spacings, initial=T0)
    path = folder / name
    path.write_text("".join(f"{time},100,110,90,105,7\n" for time in times))
    return len(list(open_fitting(path, BTC, timeframe).events()))


@pytest.mark.parametrize(
    ("spacings", "timeframe", "sentence"),
    [
        ([M] * 600, "1h", "has 1m candles, feed.timeframe says 1h"),
        ([H] * 600, "1m", "has 1h candles, feed.timeframe says 1m"),
        ([H] * 30 + [5 * H] + [H] * 30, "1m", "has 1h candles"),
        ([M, M, M, 7 * M] * 20, "1h", "has 1m candles"),
        ([M, 0, M] * 9, "5m", "has 1m candles"),
        ([D] * 9, "4h", "has 1d candles"),
        ([7 * D] * 9, "1d", "has 1w candles"),
        ([90 * M] * 9, "1h", "has 90m candles"),
        ([5 * S] * 9, "1m", "has 5s candles"),
        ([M] * 8, "1h", "has 1m candles"),
        (MONTHS * 2, "8w", "has 31d candles"),
    ],
)
def test_candles_of_another_length_are_refused(
    tmp_path: Path, spacings: list[int], timeframe: str, sentence: str
) -> None:
    with pytest.raises(DataError, match=rf"candles\.csv: the recording {sentence}"):
        opened(tmp_path, spacings, timeframe)


@pytest.mark.parametrize(
    ("spacings", "timeframe"),
    [
        ([M] * 600, "1m"),
        ([], "1h"),
        ([7 * M], "1m"),
        ([H] * 7, "1m"),
        ([2 * M] * 60 + [M], "1m"),
        ([M, 2 * M, 3 * M, 5 * M, 8 * M] * 30, "1m"),
        ([M] * 10 + [9 * M] * 10, "1m"),
        ([3 * M, 4 * M] * 30, "1m"),
        (MONTHS * 2, "4w"),
        (MONTHS * 2, "1d"),
        (MONTHS * 2, "30d"),
    ],
)
def test_holes_few_rows_and_months_tell_no_length(
    tmp_path: Path, spacings: list[int], timeframe: str
) -> None:
    assert opened(tmp_path, spacings, timeframe) >= 1


def test_it_says_how_longer_candles_are_made_where_they_can_be(tmp_path: Path) -> None:
    with pytest.raises(DataError) as long:
        opened(tmp_path, [5 * M] * 9, "1h")
    assert str(long.value).endswith(
        "or make longer candles of them (watchkeeper data import --timeframe 5m, then"
        " watchkeeper data resample --timeframe 5m --to 1h)"
    )

    for shorter in ("1m", "7m"):
        with pytest.raises(DataError) as short:
            opened(tmp_path, [5 * M] * 9, shorter)
        assert str(short.value).endswith(f"feed.timeframe says {shorter}: correct it")


def test_only_the_first_rows_are_looked_at(tmp_path: Path) -> None:
    assert opened(tmp_path, [M] * 600 + [5 * M] * 6_000, "1m") == 6_601


@given(
    timeframe=st.sampled_from([S, M, 5 * M, H, D]),
    holes=st.lists(st.integers(1, 5), max_size=60),
)
def test_what_has_one_candle_after_the_other_somewhere_is_never_refused(
    timeframe: int, holes: list[int]
) -> None:
    times = list(accumulate((timeframe * n for n in [*holes, 1]), initial=T0))

    assert other_length_ns(times, timeframe) == 0


@given(
    length=st.sampled_from([S, M, 5 * M, H, D]),
    factor=st.integers(2, 1_500),
    holes=st.dictionaries(st.integers(0, 40), st.integers(2, 9), max_size=15),
)
def test_what_is_mostly_whole_is_refused_under_any_other_length(
    length: int, factor: int, holes: dict[int, int]
) -> None:
    times = list(accumulate((length * holes.get(n, 1) for n in range(41)), initial=T0))

    assert other_length_ns(times, length * factor) == length
    assert other_length_ns([time * factor for time in times], length) == length * factor
