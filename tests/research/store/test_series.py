"""The names, folders and calendar of series."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.errors import ConfigError
from messages.ids import Symbol
from research.series import Series, checked_series, month_end_ms, month_of
from tests.research.candles import BTC, T0_MS

names = st.text("AB-.", min_size=1, max_size=3)


@pytest.mark.slow
@given(st.tuples(names, names, st.none() | names), st.tuples(names, names, st.none() | names))
def test_no_two_series_share_a_folder_and_none_lies_outside(
    one: tuple[str, str, str | None], other: tuple[str, str, str | None]
) -> None:
    folders = []
    for base, coin, settled in (one, other):
        symbol = f"{base}/{coin}" + (f":{settled}" if settled else "")
        folders.append(Series("x", Symbol(symbol), "1m").folder(Path("/data")))

    assert (folders[0] == folders[1]) == (one == other)
    assert all(folder.resolve().is_relative_to("/data/x") for folder in folders)
    assert all(len(folder.resolve().parts) == 5 for folder in folders)


def test_names_that_cannot_be_used_are_all_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        checked_series("../x", "BTCUSDT", "1y")

    assert [text.partition(":")[0] for text in refused.value.problems] == [
        "--exchange",
        "--symbol",
        "--timeframe",
    ]


def test_months_are_those_of_utc() -> None:
    assert month_of(T0_MS - 1) == "2023-12"
    assert month_of(month_end_ms(T0_MS)) == "2024-02"
    assert month_end_ms(T0_MS - 1) == T0_MS


def test_weeks_begin_on_mondays() -> None:
    week = Series("x", BTC, "1w")

    assert week.first_on_grid_ms(T0_MS) == T0_MS, "1 January 2024 was a Monday"
    assert week.first_on_grid_ms(T0_MS + 1) == T0_MS + 7 * 86_400_000
