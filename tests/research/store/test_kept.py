"""What the store keeps of candles that are put into it, and what it finds there."""

import random
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import research.month_file
from messages.errors import DataError
from research.holes import holes
from research.merging import Merged, in_order, merge
from research.series import Series
from research.store import SeriesWriter, footers, months_of, series_in, times_of
from tests.research.candles import BTC, MINUTE_MS, SERIES, T0_MS, candles_in, numbers_in, row
from tests.research.store.months import MONTH, put


def test_months_have_files_and_the_replay_feed_reads_their_folder(data: Path) -> None:
    put(data, [0, 1, MONTH - 1, MONTH, MONTH + 1])

    folder = data / "binance" / "BTC-USDT" / "1m"
    assert [path.name for path in months_of(folder)] == ["2024-01.parquet", "2024-02.parquet"]
    assert numbers_in(folder) == numbers_in(folder.parent) == [0, 1, MONTH - 1, MONTH, MONTH + 1]
    assert candles_in(folder)[0].high == Decimal("110.25")


@pytest.mark.slow
def test_the_same_candles_make_the_same_bytes_in_whatever_pieces_they_come(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(research.month_file, "ROW_GROUP", 64)
    monkeypatch.setattr(research.month_file, "_BATCH", 10)
    numbers = [n for n in range(300) if n % 17]
    shuffled = random.Random(3).sample(numbers, len(numbers))

    put(data, numbers)
    for start in range(0, len(shuffled), 23):
        put(data / "pieces", shuffled[start : start + 30])

    (whole,) = months_of(SERIES.folder(data))
    (pieces,) = months_of(SERIES.folder(data / "pieces"))
    assert whole.read_bytes() == pieces.read_bytes()
    assert list(times_of(whole.parent)) == [row(n)[0] for n in numbers]


def test_adding_again_changes_nothing_not_even_the_file(data: Path) -> None:
    put(data, [1, 2, 3])
    (path,) = months_of(SERIES.folder(data))
    before = path.stat()

    again = put(data, [2, 3])

    assert (again.added, again.same) == (0, 2)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_candle_that_differs_is_told_and_kept_unless_it_is_to_be_replaced(data: Path) -> None:
    put(data, [1, 2])

    kept = put(data, [1, 2, 3], close="99")
    assert (kept.added, kept.kept, kept.replaced) == (1, 2, 0)
    assert kept.conflicts[0].stored == row(1)
    assert [one.close for one in candles_in(SERIES.folder(data))] == list(
        map(Decimal, ["105.5", "105.5", "99"])
    )

    replaced = put(data, [2], close="99", replace=True)
    assert (replaced.added, replaced.replaced) == (0, 1)
    assert candles_in(SERIES.folder(data))[1].close == 99


stored_rows = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("12")), max_size=25)


@pytest.mark.slow
@given(stored=stored_rows, offered=stored_rows, replace=st.booleans())
def test_merging_is_what_a_dictionary_does(
    stored: list[tuple[int, str]], offered: list[tuple[int, str]], replace: bool
) -> None:
    have = in_order([row(n, c) for n, c in stored], Merged(), replace=False)
    news = in_order([row(n, c) for n, c in offered], Merged(), replace=replace)
    model = {one[0]: one for one in have}
    added = sum(one[0] not in model for one in news)
    differ = sum(one[0] in model and model[one[0]] != one for one in news)
    for one in news:
        if replace or one[0] not in model:
            model[one[0]] = one

    merged = Merged()
    result = list(merge(have, news, merged, replace=replace))

    assert result == [model[ts] for ts in sorted(model)]
    assert (merged.added, merged.replaced + merged.kept) == (added, differ)
    assert merged.added + merged.same + differ == len(news)


def test_a_month_of_another_series_is_not_merged_into(data: Path) -> None:
    other = Series("binance", BTC, "5m")
    put(data, [0, 5])
    folder = other.folder(data)
    folder.mkdir(parents=True)
    (months_of(SERIES.folder(data))[0]).rename(folder / "2024-01.parquet")

    with SeriesWriter(data, other) as writer, pytest.raises(DataError, match="not a month of"):
        writer.add([row(0)])


def test_a_hole_at_the_edge_of_a_month_is_one_hole(data: Path) -> None:
    put(data, [MONTH - 3, MONTH + 2])

    found = list(holes(times_of(SERIES.folder(data)), row(MONTH - 4)[0], row(MONTH + 4)[0], 60_000))

    numbers = [tuple((ms - T0_MS) // MINUTE_MS - MONTH for ms in hole) for hole in found]
    assert numbers == [(-4, -3), (-2, 2), (3, 4)]


def test_the_store_lists_its_series(data: Path) -> None:
    put(data, [1])

    assert series_in(data) == [(SERIES, SERIES.folder(data))]


def test_a_file_of_somebody_else_hides_no_series(data: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    put(data, [1])
    folder = SERIES.folder(data)
    parquet.write_table(pa.table({"x": [1]}), folder / "2023-12.parquet")

    assert series_in(data) == [(SERIES, folder)]
    assert [path.stem for path, _ in footers(folder)] == ["2024-01"]
