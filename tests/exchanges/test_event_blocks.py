"""Blocks of columns hold what the replay feed gives row by row, and count what it counts."""

import csv
import gzip
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchanges.event_blocks import CandleBlock
from exchanges.replay import ReplaySource
from messages.ids import Symbol

BTC = Symbol("BTC/USDT")
START_MS = 1_700_000_040_000

ROWS = [
    ("whole", ["100.5", "101.25", "99.75", "100.0", "3.5"]),
    ("wide", ["100.123456789012345678", "101", "99.75", "100.0", "3.5"]),
    ("equal", ["100", "100.0", "100.00", "1e2", "0"]),
    ("low above", ["100", "101", "100.5", "100", "1"]),
    ("open below by a hair", ["0.1", "1", "0.10000000000000001", "0.5", "1"]),
    ("nan", ["100", "101", "nan", "100", "1"]),
    ("volume nan", ["100", "101", "99", "100", "nan"]),
    ("huge", ["100", "1e19", "99", "100", "1"]),
    ("negative", ["-1", "1", "-2", "0.5", "1"]),
    ("words", ["a", "b", "c", "d", "e"]),
    ("short", ["100", "101", "99"]),
]


def read(*paths: Path) -> tuple[list[Any], list[Any], Any, Any]:
    by_rows, by_blocks = ReplaySource(paths, BTC), ReplaySource(paths, BTC)
    events = list(by_rows.events())
    blocks = list(by_blocks.blocks())
    of_blocks = [block.event(n) for block in blocks for n in range(len(block.times_ns))]
    for block in blocks:
        first: Any = block.event(0)
        assert block.first(1).event(0) == first
        assert list(block.times_ns) == [
            block.event(n).ts_event_ns for n in range(len(block.times_ns))
        ]
        assert block.open_of(0).as_tuple() == first.open.as_tuple()
        assert block.close_of(0).as_tuple() == first.close.as_tuple()
        assert block.volume_of(0).as_tuple() == first.volume.as_tuple()
        assert block.about_volume(0) == float(first.volume)
        opening: Any = block.opening(0)
        assert (opening.open, opening.volume) == (first.open, first.volume)
        assert block.closes is not None
        assert block.closes[0] == float(first.close)
    return events, of_blocks, by_rows.stats, by_blocks.stats


def write(path: Path, rows: list[list[str]]) -> Path:
    text = StringIO()
    csv.writer(text).writerows([["ts", "open", "high", "low", "close", "volume"], *rows])
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def rows_of(kinds: list[list[str]], steps: list[int], minute: int = 0) -> list[list[str]]:
    """Rows of these kinds, so many minutes apart, and a whole one behind them."""
    rows = []
    for kind, step in zip(kinds, steps, strict=False):
        minute += step
        rows.append([str(START_MS + minute * 60_000), *kind])
    rows.append([str(START_MS + (minute + 1) * 60_000), *ROWS[0][1]])
    return rows


KINDS = st.lists(st.sampled_from([row for _, row in ROWS[:3]] + [r for _, r in ROWS]), max_size=9)
WILD = 600_000
"""More than a year, in minutes."""
STEPS = st.lists(st.sampled_from([1, 1, 1, 1, 0, -1, 4, WILD, -WILD]), min_size=9, max_size=9)


@pytest.mark.parametrize("name", ["m.csv", "m.csv.gz"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=KINDS, steps=STEPS)
def test_blocks_hold_what_rows_give(
    tmp_path_factory: pytest.TempPathFactory, name: str, kinds: Any, steps: Any
) -> None:
    rows = rows_of(kinds, steps)
    path = write(tmp_path_factory.mktemp("blocks") / name, rows)

    events, of_blocks, by_rows, by_blocks = read(path)

    assert of_blocks == events
    assert by_blocks == by_rows


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.tuples(KINDS, STEPS, st.sampled_from([0, 0, 1, 9])), max_size=3))
def test_so_they_do_of_several_files_and_of_cut_ones(
    tmp_path_factory: pytest.TempPathFactory, files: Any
) -> None:
    folder, minute, paths = tmp_path_factory.mktemp("blocks"), 0, []
    for number, (kinds, steps, cut) in enumerate([([], [], 0), *files]):
        path = write(folder / f"{number}.csv.gz", rows_of(kinds, steps, minute))
        path.write_bytes(path.read_bytes()[: -cut or None])
        paths.append(path)
        minute += len(kinds) + 1

    events, of_blocks, by_rows, by_blocks = read(*paths)

    assert of_blocks == events
    assert by_blocks == by_rows


@pytest.mark.slow
def test_a_long_file_is_columns_except_where_it_is_not_whole(tmp_path: Path) -> None:
    rows = [[str(START_MS + n * 60_000), *ROWS[0][1]] for n in range(10_000) if n != 5_000]
    path = write(tmp_path / "long.csv", rows)

    events, of_blocks, by_rows, by_blocks = read(path)

    assert of_blocks == events
    assert by_blocks == by_rows
    assert by_blocks.gaps == 1
    kinds = [type(block) is CandleBlock for block in ReplaySource(path, BTC).blocks()]
    assert kinds == [True, False, True]


def test_parquet_is_read_the_same_way(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    from pyarrow import parquet

    times = [START_MS + n * 60_000 for n in range(40)]
    prices = [100 + n / 7 for n in range(40)]
    columns: dict[str, Any] = {"ts": times, "open": prices, "high": [p + 1 for p in prices]}
    columns |= {"low": [p - 1 for p in prices], "close": [p + 0.1 for p in prices]}
    columns |= {"volume": [float(n % 3) for n in range(40)]}
    parquet.write_table(pa.table(columns), tmp_path / "whole.parquet")
    columns["low"] = [*columns["low"][:20], 1e9, *columns["low"][21:]]
    parquet.write_table(pa.table(columns), tmp_path / "broken.parquet")

    for name, malformed in (("whole", 0), ("broken", 1)):
        events, of_blocks, by_rows, by_blocks = read(tmp_path / f"{name}.parquet")
        assert of_blocks == events
        assert by_blocks == by_rows
        assert by_blocks.malformed == malformed


@pytest.mark.parametrize("of_a_batch", [1, 2, 3, 40])
@pytest.mark.parametrize("wild", [0, 1, 20])
def test_a_wild_time_is_one_however_few_rows_come_at_once(
    tmp_path: Path, wild: int, of_a_batch: int
) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    from pyarrow import feather

    times = [START_MS + n * 60_000 for n in range(40)]
    times[wild] += 60_000 * WILD * 2
    columns = {name: [100.0] * 40 for name in ("open", "high", "low", "close", "volume")}
    path = tmp_path / "a.feather"
    feather.write_feather(pa.table({"ts": times, **columns}), str(path), chunksize=of_a_batch)

    events, of_blocks, by_rows, by_blocks = read(path)

    assert of_blocks == events
    assert by_blocks == by_rows
    assert (len(events), by_rows.malformed, by_rows.out_of_order) == (39, 1, 0)


def test_the_guess_of_rows_is_near(tmp_path: Path) -> None:
    rows = [[str(START_MS + n * 60_000), *ROWS[0][1]] for n in range(3_000)]
    write(tmp_path / "g.csv", rows)
    write(tmp_path / "g.csv.gz", rows)
    with ZipFile(tmp_path / "g.zip", "w", ZIP_DEFLATED) as packed:
        packed.write(tmp_path / "g.csv", "g.csv")
    for name in ("g.csv", "g.csv.gz", "g.zip"):
        guess = ReplaySource(tmp_path / name, BTC).rows_expected()
        assert guess is not None
        assert 2_900 < guess < 3_100
