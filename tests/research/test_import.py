"""`data import`: every format, exactly, and twice is once."""

import gzip
import os
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import cli
from exchanges.replay import ReplaySource
from messages.market import Candle
from tests.research.candles import BTC, NAMED, SERIES, Ask, candles_in, csv, numbers_in, row


def feather(path: Path, numbers: range) -> Path:
    """Write what freqtrade writes: floats, and a date in UTC."""
    import pyarrow as pa
    from pyarrow import feather as format_

    rows = [row(number) for number in numbers]
    names = ("open", "high", "low", "close", "volume")
    columns = {name: [float(one[n]) for one in rows] for n, name in enumerate(names, 1)}
    dates = [datetime.fromtimestamp(one[0] / 1000, UTC) for one in rows]
    date = pa.array(dates, pa.timestamp("ms", "UTC"))
    format_.write_feather(pa.table({"date": date, **columns}), str(path), "lz4")
    return path


def packed(path: Path, plain: Path) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(plain, plain.name)
    else:
        path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


def freqtrade_json(path: Path, numbers: range) -> Path:
    rows = (f"[{row(n)[0]},{','.join(row(n)[1:])}]" for n in numbers)
    path.write_bytes(gzip.compress(f"[{','.join(rows)}]".encode()))
    return path


@pytest.mark.slow
def test_files_of_every_format_become_one_series(data: Path, ask: Ask, tmp_path: Path) -> None:
    micro = csv(tmp_path / "micro.csv", range(20, 30), factor=1000)
    files = [
        csv(tmp_path / "plain.csv", range(10)),
        packed(tmp_path / "BTCUSDT-1m-2024-01.zip", csv(tmp_path / "z.csv", range(10, 20))),
        packed(tmp_path / "micro.csv.gz", micro),
        feather(tmp_path / "BTC_USDT-1m.feather", range(30, 40)),
        freqtrade_json(tmp_path / "BTC_USDT-1m.json.gz", range(40, 50)),
    ]

    code, lines = ask("import", *files, *NAMED)

    assert code == 0
    assert [line["added"] for line in lines] == [10] * 5
    assert numbers_in(SERIES.folder(data)) == list(range(50))


def test_twice_is_once_and_overlaps_merge(data: Path, ask: Ask, tmp_path: Path) -> None:
    first, second = csv(tmp_path / "a.csv", range(10)), csv(tmp_path / "b.csv", range(5, 15))

    ask("import", first, second, *NAMED)
    (month,) = SERIES.folder(data).glob("*.parquet")
    before = month.read_bytes()
    code, lines = ask("import", second, first, *NAMED)

    assert code == 0
    assert [(line["added"], line["same"]) for line in lines] == [(0, 10), (0, 10)]
    assert month.read_bytes() == before
    assert numbers_in(SERIES.folder(data)) == list(range(15))


def test_a_candle_that_differs_is_told_and_the_stored_one_stays(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    ask("import", csv(tmp_path / "a.csv", range(3)), *NAMED)
    other = csv(tmp_path / "b.csv", range(1, 4), close="106")

    code, lines = ask("import", other, *NAMED)

    assert code == 1
    assert (lines[0]["added"], lines[0]["kept"]) == (1, 2)
    assert [line["ts"] for line in lines[1:]] == ["2024-01-01T00:01:00Z", "2024-01-01T00:02:00Z"]
    assert (lines[1]["stored"]["close"], lines[1]["offered"]["close"]) == ("105.5", "106")
    assert candles_in(SERIES.folder(data))[1].close == Decimal("105.5")

    code, lines = ask("import", other, *NAMED, "--replace")
    assert (code, lines[0]["replaced"]) == (0, 2)
    assert candles_in(SERIES.folder(data))[1].close == 106


def test_newest_first_is_an_order_too(data: Path, ask: Ask, tmp_path: Path) -> None:
    code, _ = ask("import", csv(tmp_path / "a.csv", range(99, -1, -1)), *NAMED)

    assert code == 0
    assert numbers_in(SERIES.folder(data)) == list(range(100))


def test_a_file_is_held_in_parts(
    data: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("research.importing.AT_ONCE", 7)
    numbers = [*range(20, 40), *range(20)]

    _, lines = ask("import", csv(tmp_path / "a.csv", numbers), *NAMED)

    assert (lines[0]["rows"], lines[0]["added"]) == (40, 40)
    assert numbers_in(SERIES.folder(data)) == list(range(40))


def test_rows_that_are_no_candles_are_told_with_file_and_line_and_the_others_are_in(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    path = csv(tmp_path / "a.csv", range(3))
    path.write_text(path.read_text() + "1704067380000,1,1,2,1,1\n1704067410000,1,1,1,1,1\nbad\n")

    code, (line,) = ask("import", path, *NAMED)

    assert code == 1
    assert (line["rows"], line["added"], line["malformed"]) == (6, 3, 3)
    assert [text.partition(f"{path}:")[2] for text in line["problems"]] == [
        "4: high 1 is below low 2",
        "5: does not open where a candle of this timeframe does, in UTC",
        "6: not the columns that the other rows have",
    ]


def test_a_volume_that_would_take_a_gigabyte_to_write_in_full_is_none(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    path = csv(tmp_path / "a.csv", range(3))
    path.write_text(path.read_text() + "1704067380000,1,1,1,1,1e-999999999\n")

    code, (line,) = ask("import", path, *NAMED)

    assert (code, line["added"], line["malformed"]) == (1, 3, 1)
    assert line["problems"] == [f"{path}:4: a number is too large or too small to be true"]


def test_what_cannot_be_used_is_told_at_once_and_nothing_is_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rubbish.parquet").write_bytes(b"rubbish")
    (tmp_path / "columns.csv").write_text("ts,open,close\n1,2,3\n")
    (tmp_path / "words.csv").write_text("hello\n")
    five = csv(tmp_path / "five.csv", range(0, 100, 5))
    good = csv(tmp_path / "good.csv", range(5))
    names = ("rubbish.parquet", "columns.csv", "words.csv", "none.csv")
    paths = [good, *(tmp_path / name for name in names), five, tmp_path]

    assert cli.main(["data", "import", *map(str, paths), *NAMED]) == 2

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 6
    for text, part in zip(
        said,
        (
            "not a readable Parquet file",
            "no column for high, low, volume",
            "no row with a time",
            "none.csv: cannot be opened",
            "its candles are 300 s apart, not 1m",
            "is a folder",
        ),
        strict=True,
    ):
        assert part in text
    assert not data.exists()


def test_a_pipe_is_no_file(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is empty when it is read again, and of one that nobody writes there is no end."""
    os.mkfifo(pipe := tmp_path / "pipe.csv")

    assert cli.main(["data", "import", str(pipe), *NAMED]) == 2
    assert cli.main(["data", "verify", str(pipe)]) == 2

    said = capsys.readouterr().err.splitlines()
    assert [text.partition("pipe.csv: ")[2].partition(",")[0] for text in said] == [
        "is no file"
    ] * 2
    assert not data.exists()


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zip", "a.json.zip"])
def test_a_packed_file_that_is_damaged_is_refused_before_a_false_candle_is_in(
    data: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = csv(tmp_path / "a.csv", range(2_000))
    if ".json" in name:
        plain = tmp_path / "a.json"
        plain.write_bytes(
            gzip.decompress(freqtrade_json(tmp_path / "j", range(2_000)).read_bytes())
        )
    path = packed(tmp_path / name, plain)
    damaged = bytearray(path.read_bytes())
    place = damaged.find(b"110.25", 1_000)  # of what is packed and not made smaller, a price
    damaged[place if place > 0 else -6] ^= 1  # else the checksum itself
    path.write_bytes(damaged)

    assert cli.main(["data", "import", str(path), *NAMED]) == 2

    assert "is damaged" in capsys.readouterr().err
    assert not data.exists()


def test_so_is_one_that_another_packer_packed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as zipped:
        zipped.write(csv(tmp_path / "a.csv", range(2_000)), "a.csv")
    raw = path.read_bytes()
    path.write_bytes(raw[:500] + bytes(20) + raw[520:])

    assert cli.main(["data", "import", str(path), *NAMED]) == 2

    assert "is damaged (Corrupt input data)" in capsys.readouterr().err
    assert not data.exists()


def test_of_a_packed_file_that_is_cut_what_comes_before_is_in(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    path = packed(tmp_path / "a.csv.gz", csv(tmp_path / "a.csv", range(2_000)))
    path.write_bytes(path.read_bytes()[:-2_000])

    code, (line,) = ask("import", path, *NAMED)

    assert (code, line["malformed"]) == (1, 1)
    assert 0 < line["added"] < 2_000
    assert numbers_in(SERIES.folder(data)) == list(range(line["added"]))


def test_trades_are_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"ts": [row(0)[0]], "price": [1.0], "qty": [1.0]}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")

    assert cli.main(["data", "import", str(tmp_path / "t.parquet"), *NAMED]) == 2
    assert "holds trades" in capsys.readouterr().err


def test_a_person_reads_a_table(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv(tmp_path / "a.csv", range(3))
    cli.main(["data", "import", str(path), *NAMED])
    csv(path, range(4), close="99")
    capsys.readouterr()

    assert cli.main(["data", "import", str(path), *NAMED]) == 1

    text = capsys.readouterr().out
    assert "2024-01-01T00:00:00Z: close 105.5 stored, 99 offered" in text
    assert "--replace takes the offered ones" in text


@pytest.mark.slow
def test_a_recorded_week_is_in_the_store_as_the_feed_reads_it(
    data: Path, ask: Ask, recorded: Path
) -> None:
    week = recorded / "candles_1m" / "permissive" / "binance_BTCUSDT_2026-06.csv.gz"

    code, (line,) = ask("import", week, *NAMED)

    assert (code, line["added"]) == (0, 10_080)
    events = [one for one in ReplaySource(week, BTC).events() if isinstance(one, Candle)]
    assert candles_in(SERIES.folder(data)) == events
