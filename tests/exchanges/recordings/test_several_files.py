"""Several files as one market."""

import gzip
from pathlib import Path

import pytest

from messages.errors import DataError
from tests.exchanges.recordings.candle_files import (
    AT_ONE_MS,
    line,
    read,
    write,
)


def test_several_files_are_one_market_and_a_problem_names_its_file_and_line(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("\n".join(line(n) for n in (0, 1)))
    second.write_text("\n".join([line(1), line(4), "bad", line(5)]))

    source, candles = read(first, second)

    assert [(one.ts_open_ns // 1_000_000 - AT_ONE_MS) // 60_000 for one in candles] == [0, 1, 4, 5]
    stats = source.stats
    assert (stats.usable, stats.duplicate, stats.malformed, stats.missing) == (4, 1, 1, 2)
    assert stats.problems == [
        "b.csv:1: the same time as the row before",
        "b.csv:3: not the columns that the other rows have",
    ]
    assert list(source.events(2)) == candles[2:]
    assert source.stats.usable == 4


def test_a_cut_file_among_others_is_counted_once_and_the_next_one_goes_on(tmp_path: Path) -> None:
    rows = "\n".join(line(n) for n in range(20_000))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(rows.encode())[:-100])
    (tmp_path / "b.csv").write_text("\n".join(line(n) for n in range(20_000, 20_003)))

    source, candles = read(tmp_path / "a.csv.gz", tmp_path / "b.csv")

    assert source.stats.malformed == 1
    assert candles[-1].ts_open_ns == (AT_ONE_MS + 20_002 * 60_000) * 1_000_000
    assert source.stats.usable == len(candles)


def test_candles_and_trades_are_not_one_market(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", {"ts": [AT_ONE_MS], "price": [1.0], "qty": [1.0]})
    (tmp_path / "a.csv").write_text(line(0))

    with pytest.raises(DataError, match="some files hold candles and others trades"):
        read(tmp_path / "a.csv", tmp_path / "t.parquet")
