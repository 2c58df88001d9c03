"""`data verify`: each fault by its kind, with file, row and time."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import cli
from research.checking import Kind
from tests.research.candles import NAMED, SERIES, T0_MS, Ask, csv, row

SOUND = list(range(10))


def edited(path: Path, number: int, text: str) -> Path:
    """Write ten candles, one of them another."""
    lines = csv(path, SOUND).read_text().splitlines()
    lines[number] = text
    path.write_text("\n".join(lines) + "\n")
    return path


def at(number: int, rest: str = "100,110.25,90,105.5,1") -> str:
    return f"{T0_MS + number * 60_000},{rest}"


def findings(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert lines[-1]["event"] == "end"
    return lines[:-1]


FAULTS = {
    "gap": (5, at(7), [("gap", 6), ("disorder", 7), ("duplicate", 8)]),
    "nothing": (5, at(5), []),
    "duplicate": (5, at(4), [("duplicate", 6), ("gap", 7)]),
    "disorder": (5, at(2), [("disorder", 6), ("gap", 7)]),
    "high below low": (5, at(5, "100,90,110,100,1"), [("ohlc", 6), ("gap", 7)]),
    "high below close": (5, at(5, "100,101,90,105,1"), [("ohlc", 6), ("gap", 7)]),
    "a word": (5, at(5, "100,110,90,abc,1"), [("malformed", 6), ("gap", 7)]),
    "NaN": (5, at(5, "NaN,110,90,105,1"), [("malformed", 6), ("gap", 7)]),
    "no time": (5, "noon,100,110,90,105,1", [("malformed", 6), ("gap", 7)]),
    "columns": (5, "1,2,3", [("malformed", 6), ("gap", 7)]),
    "a spike": (5, at(5, "100,150,90,105,1"), [("outlier", 6)]),
    "a dip": (5, at(5, "100,110,50,105,1"), [("outlier", 6)]),
    "no zone": (0, "2024-01-01 00:00,100,110,90,105,1", [("time_zone", 1)]),
    "another zone": (0, "2024-01-01T01:00+01:00,100,110,90,105,1", [("time_zone", 1)]),
    "a wild time": (5, "4000000020000,100,110,90,105,1", [("malformed", 6), ("gap", 7)]),
    "a wild first time": (0, "4000000020000,100,110,90,105,1", [("malformed", 1)]),
    "off the grid": (
        5,
        f"{T0_MS + 5 * 60_000 + 500},100,110,90,105,1",
        [("off_grid", 6), ("gap", 7)],
    ),
}
BROKEN = {"disorder", "duplicate", "ohlc", "malformed", "off_grid"}


@pytest.mark.parametrize("text", ["", "ts,open,high,low,close,volume\n"])
def test_a_file_without_a_candle_is_no_sound_one(ask: Ask, tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)

    code, lines = ask("verify", path)

    assert [(one["kind"], one["text"]) for one in findings(lines)] == [
        ("unreadable", "there is no candle in it")
    ]
    assert code == 2


def test_where_there_is_no_data_directory_it_says_what_brings_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert cli.main(["data", "verify"]) == 2
    assert "data import or data download brings some" in capsys.readouterr().err


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(data: Path, ask: Ask, tmp_path: Path, name: str) -> None:
    number, text, expected = FAULTS[name]
    path = edited(tmp_path / "a.csv", number, text)

    code, lines = ask("verify", path)

    assert [(one["kind"], one["row"]) for one in findings(lines)] == expected
    assert all(one["file"] == str(path) for one in findings(lines))
    assert code == (2 if BROKEN & {kind for kind, _ in expected} else 1 if expected else 0)


def test_a_gap_says_when_and_how_many(data: Path, ask: Ask, tmp_path: Path) -> None:
    code, lines = ask("verify", csv(tmp_path / "a.csv", [0, 1, 2, 6]))

    (gap,) = findings(lines)
    assert (code, gap["level"], gap["missing"], gap["ts"]) == (
        1,
        "warning",
        3,
        "2024-01-01T00:06:00Z",
    )
    assert "from 2024-01-01T00:03:00Z to 2024-01-01T00:06:00Z" in gap["text"]


def test_a_duplicate_says_whether_its_values_are_others(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    path = csv(tmp_path / "a.csv", SOUND)
    path.write_text(
        path.read_text() + path.read_text().splitlines()[-1] + "\n" + at(9, "1,1,1,1,1")
    )

    _, lines = ask("verify", path)

    same, other = findings(lines)
    assert same["text"].endswith("and no other values")
    assert other["text"].endswith("and other values")


def test_newest_first_is_disorder_in_every_row(data: Path, ask: Ask, tmp_path: Path) -> None:
    code, lines = ask("verify", csv(tmp_path / "a.csv", reversed(SOUND)))

    assert code == 2
    assert [one["kind"] for one in findings(lines)] == ["disorder"] * 9


def test_days_that_begin_elsewhere_are_off_the_grid(data: Path, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("".join(at(330 + day * 1440) + "\n" for day in range(3)))

    code, lines = ask("verify", path)

    assert code == 2
    assert {one["kind"] for one in findings(lines)} == {"off_grid"}


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.parquet", b"rubbish", "unreadable"),
        ("a.csv.gz", b"rubbish", "unreadable"),
        ("a.csv", b"ts,open,close\n1,2,3\n", "wrong_columns"),
        ("a.json", b"{}", "unreadable"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_finding_and_the_others_are_looked_at(
    data: Path, ask: Ask, tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    (tmp_path / name).write_bytes(content)

    code, lines = ask("verify", tmp_path / name, csv(tmp_path / "good.csv", SOUND))

    assert code == 2
    assert [(one["kind"], one["row"]) for one in findings(lines)] == [(kind, None)]
    assert (lines[-1]["files"], lines[-1]["rows"]) == (2, 10)


def test_a_table_of_floats_without_a_zone_and_with_a_missing_number(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    times = pa.array([row(n)[0] for n in range(3)], pa.timestamp("ms"))
    prices = {name: [100.0, math.nan, None] for name in ("open", "high", "low", "close", "volume")}
    parquet.write_table(pa.table({"ts": times, **prices}), tmp_path / "a.parquet")

    _, lines = ask("verify", tmp_path / "a.parquet")

    kinds = [(one["kind"], one["row"]) for one in findings(lines)]
    assert kinds == [("time_zone", None), ("malformed", 2), ("malformed", 3)]


def test_the_months_of_a_series_are_looked_at_as_one(data: Path, ask: Ask, tmp_path: Path) -> None:
    month = 31 * 1440
    ask("import", csv(tmp_path / "a.csv", [0, 1, month - 1, month, month + 2]), *NAMED)

    code, lines = ask("verify")

    assert code == 1
    told = [(Path(one["file"]).stem, one["missing"]) for one in findings(lines)]
    assert told == [("2024-01", month - 3), ("2024-02", 1)]


def test_a_candle_in_the_file_of_another_month_is_found(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    ask("import", csv(tmp_path / "a.csv", [0, 1]), *NAMED)
    (month,) = SERIES.folder(data).glob("*.parquet")
    month.rename(month.with_stem("2024-02"))

    code, lines = ask("verify", data)

    assert code == 2
    assert [one["kind"] for one in findings(lines)] == ["misplaced"] * 2


def test_a_person_is_told_of_each_kind_twenty_times_at_most(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv(tmp_path / "a.csv", reversed(range(50)))

    assert cli.main(["data", "verify", str(path)]) == 2

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 22
    assert lines[0] == f"{path}:2: 2024-01-01T00:48:00Z disorder: older than the row before"
    assert lines[-2:] == [f"{path}: disorder: 29 more", "1 file, 50 rows: 49 errors, 0 warnings"]


@pytest.mark.parametrize("words", [["nowhere.csv"], [], ["--timeframe", "1y", "."]])
def test_wrong_use_is_2_and_a_sentence(
    data: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "verify", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
def test_a_recorded_month_has_one_spike_which_was_true(
    data: Path, ask: Ask, recorded: Path
) -> None:
    path = recorded / "candles_1m" / "stress-2023-03-usdc" / "binance_BTCUSDC.parquet"

    code, lines = ask("verify", path)

    (spike,) = findings(lines)
    assert (code, lines[-1]["rows"]) == (1, 30_240)
    assert (spike["kind"], spike["ts"]) == ("outlier", "2023-03-14T14:24:00Z")
    assert Counter(lines[-1]["kinds"]) == {Kind.OUTLIER: 1}
