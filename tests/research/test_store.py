"""The store: exact, one writer at a time, and whole whatever happens to its writer."""

import errno
import os
import random
import resource
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import research.month_file
from exchanges.replay import ReplaySource
from exchanges.row_filter import Tally, candles
from exchanges.source import SourceStats
from messages.errors import ConfigError, DataError
from messages.ids import DurationNs, Symbol
from research.candle_row import exact_text, row_of
from research.holes import holes
from research.merging import Merged, in_order, merge
from research.series import Series, checked_series, month_end_ms, month_of
from research.store import SeriesWriter, footers, months_of, series_in, times_of
from tests.research.candles import BTC, MINUTE_MS, SERIES, T0_MS, candles_in, numbers_in, row

MONTH = 31 * 24 * 60


def put(root: Path, numbers: list[int], *, close: str = "105.5", replace: bool = False) -> Merged:
    with SeriesWriter(root, SERIES) as writer:
        return writer.add([row(number, close) for number in numbers], replace=replace)


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


def test_there_is_one_writer_at_a_time(data: Path) -> None:
    with SeriesWriter(data, SERIES), pytest.raises(DataError, match="another process writes it"):
        SeriesWriter(data, SERIES)

    put(data, [1])


def test_what_a_killed_writer_left_is_cleared_away_and_its_month_is_as_it_was(data: Path) -> None:
    put(data, [1, 2])
    folder = SERIES.folder(data)
    (folder / ".2024-01.parquet.tmp").write_bytes(b"half a file")

    assert numbers_in(folder) == [1, 2]
    put(data, [3])

    assert numbers_in(folder) == [1, 2, 3]
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "2024-01.parquet"]


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
import research.month_file as file
from research.store import SeriesWriter
from tests.research.candles import SERIES, row

true_replace = Path.replace
def replace(self, target):
    if sys.argv[2] == "after":
        true_replace(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = replace
with SeriesWriter(Path(sys.argv[1]), SERIES) as writer:
    writer.add([row(n) for n in range(5)])
"""


@pytest.mark.slow
@pytest.mark.parametrize(("when", "numbers"), [("before", [1, 9]), ("after", [0, 1, 2, 3, 4, 9])])
def test_a_writer_killed_at_the_replacement_leaves_the_old_month_or_the_new(
    data: Path, when: str, numbers: list[int]
) -> None:
    put(data, [1, 9])
    root = Path(__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", KILLED_WRITER, str(data), when],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=60,
        check=False,
    )

    assert done.returncode == -9
    assert numbers_in(SERIES.folder(data)) == numbers
    put(data, [10])
    assert numbers_in(SERIES.folder(data)) == [*numbers, 10]


def test_a_damaged_month_is_not_written_over(data: Path) -> None:
    put(data, [1])
    (path,) = months_of(SERIES.folder(data))
    path.write_bytes(b"PAR1 rubbish")

    with pytest.raises(DataError, match=r"2024-01\.parquet: is not a readable"):
        put(data, [2])

    assert path.read_bytes() == b"PAR1 rubbish"
    assert [one.name for one in path.parent.glob(".*tmp")] == []


def test_a_full_disk_leaves_the_month_as_it_was_and_is_a_sentence(data: Path) -> None:
    put(data, [1])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(DataError, match=r"cannot be written .*: it is as it was"):
            put(data, list(range(500)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert numbers_in(SERIES.folder(data)) == [1]
    assert list(SERIES.folder(data).glob(".*tmp")) == []
    put(data, [2])


def test_a_bit_that_flips_on_the_disk_makes_no_other_candle(data: Path) -> None:
    rows = [(*row(n)[:4], f"{100 + n % 9}.{n % 83}", str(n)) for n in range(400)]
    with SeriesWriter(data, SERIES) as writer:
        writer.add(rows)
    (path,) = months_of(SERIES.folder(data))
    good, whole = path.read_bytes(), candles_in(path.parent)
    rng = random.Random(7)

    for _ in range(100):
        bad = bytearray(good)
        place = rng.randrange(len(bad))
        bad[place] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        try:
            source = ReplaySource(path, BTC)
            found = list(source.events())
        except DataError:
            continue
        assert found == whole or source.stats.problems, place


def test_a_month_with_a_damaged_page_is_told_and_left_as_it_is(data: Path) -> None:
    put(data, list(range(400)))
    (path,) = months_of(SERIES.folder(data))
    bad = bytearray(path.read_bytes())
    bad[100] ^= 1
    path.write_bytes(bad)

    with pytest.raises(DataError, match=r"2024-01\.parquet: is damaged .*: move it away"):
        list(times_of(path.parent))
    with pytest.raises(DataError, match=r"2024-01\.parquet: is damaged .*: move it away"):
        put(data, [1_000])
    assert path.read_bytes() == bad


def flushed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Follow which files and folders are flushed to disk, in order."""
    found, true_fsync = list[Path](), os.fsync

    def fsync(number: int) -> None:
        found.append(Path(f"/proc/self/fd/{number}").readlink())
        true_fsync(number)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_a_candle_outlives_a_loss_of_power_with_the_folders_it_lies_in(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = flushed(monkeypatch)

    put(data, [1])

    folder = SERIES.folder(data)
    parents = [folder.parent, folder.parent.parent, data, data.parent]
    assert order == [*parents, folder / ".2024-01.parquet.tmp", folder]
    put(data, [2])
    assert order[6:] == order[4:6]


def test_a_month_that_was_replaced_is_not_said_to_be_as_it_was(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(data, [1])
    folder, true_fsync = SERIES.folder(data), os.fsync

    def fsync(number: int) -> None:
        if Path(f"/proc/self/fd/{number}").readlink() == folder:
            raise OSError(errno.EIO, "no")
        true_fsync(number)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DataError, match=r"was replaced, but may not outlive a loss of power"):
        put(data, [2])

    assert numbers_in(folder) == [1, 2]


def test_a_disk_that_cannot_lock_is_not_taken_for_another_writer(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("research.store.fcntl.flock", flock)

    with pytest.raises(DataError, match=r"cannot be locked .*: use a local disk"):
        put(data, [1])


def test_a_hole_at_the_edge_of_a_month_is_one_hole(data: Path) -> None:
    put(data, [MONTH - 3, MONTH + 2])

    found = list(holes(times_of(SERIES.folder(data)), row(MONTH - 4)[0], row(MONTH + 4)[0], 60_000))

    numbers = [tuple((ms - T0_MS) // MINUTE_MS - MONTH for ms in hole) for hole in found]
    assert numbers == [(-4, -3), (-2, 2), (3, 4)]


def test_a_month_of_another_series_is_not_merged_into(data: Path) -> None:
    other = Series("binance", BTC, "5m")
    put(data, [0, 5])
    folder = other.folder(data)
    folder.mkdir(parents=True)
    (months_of(SERIES.folder(data))[0]).rename(folder / "2024-01.parquet")

    with SeriesWriter(data, other) as writer, pytest.raises(DataError, match="not a month of"):
        writer.add([row(0)])


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


def test_months_are_those_of_utc() -> None:
    assert month_of(T0_MS - 1) == "2023-12"
    assert month_of(month_end_ms(T0_MS)) == "2024-02"
    assert month_end_ms(T0_MS - 1) == T0_MS


def test_weeks_begin_on_mondays() -> None:
    week = Series("x", BTC, "1w")

    assert week.first_on_grid_ms(T0_MS) == T0_MS, "1 January 2024 was a Monday"
    assert week.first_on_grid_ms(T0_MS + 1) == T0_MS + 7 * 86_400_000
