"""A wild time in a recording costs its own row, and a true leap of years one row."""

from pathlib import Path
from typing import Any

import pytest

from tests.exchanges.test_replay import ONE, parquet, read, write


def test_a_true_leap_of_years_loses_one_row_only(tmp_path: Path) -> None:
    later = [f"{1_904_067_200 + n * 60},100,110,90,105,7\n" for n in range(3)]

    source, events = read(write(tmp_path, ONE + "".join(later)))

    assert (len(events), source.stats.malformed, source.stats.gaps) == (3, 1, 1)


def minutes(*numbers: int) -> str:
    return "".join(f"{1_704_067_200 + n * 60},100,110,90,105,7\n" for n in numbers)


IN_2099 = 40_000_000
"""So many minutes later a year of 2100 is near."""


@pytest.mark.parametrize(
    "wild",
    [
        {3: IN_2099},
        {3: IN_2099, 60: IN_2099 + 1},
        {3: IN_2099, 5: IN_2099 + 1},
        {3: IN_2099, 4: IN_2099},
        {3: IN_2099 + 1, 4: IN_2099},
        {0: IN_2099},
        {0: IN_2099, 60: IN_2099 + 1},
        {1: IN_2099},
        {0: IN_2099, 99: IN_2099 + 1},
    ],
    ids=str,
)
def test_a_wild_time_costs_its_own_row_and_no_other(tmp_path: Path, wild: dict[int, int]) -> None:
    rows = minutes(*(wild.get(n, n) for n in range(100)))

    source, events = read(write(tmp_path, rows))

    stats = source.stats
    assert (len(events), stats.malformed, stats.out_of_order) == (100 - len(wild), len(wild), 0)
    assert all("more than a year after the" in problem for problem in stats.problems)
    assert list(source.events(50)) == events[50:]
    assert source.stats == stats


def test_of_two_first_rows_the_third_says_which_is_wild(tmp_path: Path) -> None:
    """An old row behind the first is an old row, unless the next one is as old."""
    source, events = read(write(tmp_path, minutes(IN_2099, 1, IN_2099 + 2)))
    assert (len(events), source.stats.out_of_order, source.stats.malformed) == (2, 1, 0)

    source, events = read(write(tmp_path, minutes(IN_2099, 1)))
    assert (len(events), source.stats.out_of_order) == (1, 1), "nothing tells"

    rows = minutes(IN_2099) + "bad\n" + minutes(1) + "1704067320,100,90,110,105,7\n" + minutes(2)
    source, events = read(write(tmp_path, rows))
    assert (len(events), source.stats.malformed) == (2, 3), "what makes no sense says nothing"


@pytest.mark.parametrize(
    "wild",
    [
        {3: IN_2099},
        {3: IN_2099, 60: IN_2099 + 1},
        {3: IN_2099, 4: IN_2099},
        {3: IN_2099, 5: IN_2099 + 1},
        {0: IN_2099},
        {1: IN_2099},
    ],
    ids=str,
)
def test_so_it_does_among_trades_of_which_two_share_each_moment(
    tmp_path: Path, wild: dict[int, int]
) -> None:
    times = [1_704_067_200 + wild.get(n, n // 2) * 60 for n in range(100)]
    columns: dict[str, list[Any]] = {"ts": times, "price": [1.0] * 100, "qty": [1.0] * 100}

    source, events = read(write(tmp_path, parquet(columns), "trades.parquet"))

    stats = source.stats
    assert (len(events), stats.malformed, stats.out_of_order) == (100 - len(wild), len(wild), 0)
    assert all("more than a year after the" in problem for problem in stats.problems)


def test_trades_after_a_true_leap_of_years_are_used(tmp_path: Path) -> None:
    times = [1_704_067_200 + n for n in (0, 0, 90_000_000, 90_000_001, 90_000_001)]
    columns: dict[str, list[Any]] = {"ts": times, "price": [1.0] * 5, "qty": [1.0] * 5}

    source, events = read(write(tmp_path, parquet(columns), "trades.parquet"))

    assert (len(events), source.stats.malformed) == (4, 1)
