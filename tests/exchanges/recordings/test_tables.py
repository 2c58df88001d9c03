"""Parquet and Feather: which columns and values are taken, and which are not."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchanges.replay import ReplaySource
from messages.errors import DataError
from tests.exchanges.recordings.candle_files import (
    AT_ONE_MS,
    BTC,
    NAMES,
    PRICES,
    read,
    write,
    write_table,
)


@pytest.mark.parametrize("kind", ["text", "decimal"])
@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_a_table_may_hold_exact_prices(tmp_path: Path, name: str, kind: str) -> None:
    columns: dict[str, Any] = {n: [p, p] for n, p in zip(NAMES, PRICES, strict=True)}
    if kind == "decimal":
        columns = {n: list(map(Decimal, values)) for n, values in columns.items()}
    times = [datetime.fromtimestamp(AT_ONE_MS / 1000 + n * 60, UTC) for n in range(2)]
    write(tmp_path / name, {"date": times, **columns})

    _, candles = read(tmp_path / name)

    assert candles[1].ts_open_ns == (AT_ONE_MS + 60_000) * 1_000_000
    assert (candles[0].open, candles[0].close) == (Decimal(PRICES[0]), Decimal(PRICES[3]))


def test_of_two_times_in_a_table_ts_is_the_one(tmp_path: Path) -> None:
    prices: dict[str, Any] = {name: [price] for name, price in zip(NAMES, PRICES, strict=True)}
    write(tmp_path / "a.parquet", {"date": ["1999-01-01"], "ts": [AT_ONE_MS], **prices})

    _, (candle,) = read(tmp_path / "a.parquet")

    assert candle.ts_open_ns == AT_ONE_MS * 1_000_000


def test_how_long_a_feather_is_is_reckoned_from_its_first_batch(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import feather

    count = 2_500
    columns: dict[str, Any] = {name: [100.0] * count for name in NAMES}
    columns["ts"] = [AT_ONE_MS + n * 60_000 for n in range(count)]
    feather.write_feather(pa.table(columns), str(tmp_path / "a.feather"), chunksize=1_000)

    assert ReplaySource(tmp_path / "a.feather", BTC).rows_expected() == 3_000


def test_short_floats_are_taken_by_their_shortest_decimal_too(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    columns = {name: pa.array([0.1, 0.1, 1e-7], pa.float32()) for name in NAMES}
    times = [AT_ONE_MS + n * 60_000 for n in range(3)]
    write(tmp_path / "a.parquet", {"ts": times, **columns})

    source, candles = read(tmp_path / "a.parquet")

    assert [one.close for one in candles] == [Decimal("0.1"), Decimal("0.1"), Decimal("1e-7")]
    (block,) = source.blocks()
    assert [block.event(n) for n in range(3)] == candles


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_moment_that_is_none_is_one_row_and_the_others_are_read(
    tmp_path: Path, unit: str
) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    per_s = {"s": 1, "ms": 1_000, "us": 1_000_000}[unit]
    times = [AT_ONE_MS // 1000 * per_s, 250_000_000_000 * per_s, AT_ONE_MS // 1000 * per_s]
    times[2] += 60 * per_s
    columns = {name: [price] * 3 for name, price in zip(NAMES, PRICES, strict=True)}
    write(tmp_path / "a.parquet", {"ts": pa.array(times, pa.timestamp(unit)), **columns})

    source, candles = read(tmp_path / "a.parquet")

    assert [one.ts_open_ns // 1_000_000 for one in candles] == [AT_ONE_MS, AT_ONE_MS + 60_000]
    assert source.stats.malformed == 1
    assert "is not a time" in source.stats.problems[0]


@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_a_table_with_two_columns_of_one_name_is_refused_in_a_sentence(
    tmp_path: Path, name: str
) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    columns = [pa.array([AT_ONE_MS]), *(pa.array([price]) for price in PRICES)]
    twice = pa.Table.from_arrays([*columns, columns[-1]], ["ts", *NAMES, "volume"])
    write_table(tmp_path / name, twice)

    with pytest.raises(DataError, match=r"the column volume is there more than once: keep one"):
        read(tmp_path / name)


def test_values_that_python_cannot_hold_are_malformed_rows(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    times = pa.array([19_724, 10**8, 19_725], pa.int32()).cast(pa.date32())
    columns = {name: [price] * 3 for name, price in zip(NAMES, PRICES, strict=True)}
    write(tmp_path / "a.parquet", {"date": times, **columns})

    source = ReplaySource(tmp_path / "a.parquet", BTC, "1d")

    assert len(list(source.events())) == 2
    assert source.stats.problems == ["a.parquet:2: 'unreadable date32[day]' is not a time"]


def test_a_column_of_such_values_is_refused_in_a_sentence(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    columns = {name: [price] for name, price in zip(NAMES, PRICES, strict=True)}
    write(tmp_path / "a.parquet", {"ts": pa.array([1], pa.duration("ns")), **columns})

    with pytest.raises(DataError, match=r"'unreadable duration\[ns\]' is not a time"):
        read(tmp_path / "a.parquet")
