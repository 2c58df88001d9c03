"""`data resample` and `data list`."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cli
from messages.ids import TimestampNs
from messages.market import Candle
from research.resampling import longer
from research.series import Series
from tests.research.candles import BTC, MINUTE_MS, NAMED, SERIES, T0_MS, Ask, candles_in, csv

FIVE = Series("binance", BTC, "5m")


def candle(number: int, low: str, high: str, volume: str) -> Candle:
    open_ns = (T0_MS + number * MINUTE_MS) * 1_000_000
    return Candle(
        symbol=BTC,
        open=Decimal(low),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(high),
        volume=Decimal(volume),
        ts_open_ns=TimestampNs(open_ns),
        ts_event_ns=TimestampNs(open_ns + MINUTE_MS * 1_000_000),
    )


prices = st.decimals("0.000000000000000001", "1e6", places=18).map(str)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.integers(0, 60), prices, prices, prices),
        unique_by=lambda t: t[0],
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([2, 5, 15, 60]),
)
def test_longer_candles_are_exact_sums_and_extremes(
    parts: list[tuple[int, str, str, str]], length: int
) -> None:
    events = [
        candle(n, min(a, b, key=Decimal), max(a, b, key=Decimal), v) for n, a, b, v in sorted(parts)
    ]

    bars = list(longer(events, length * MINUTE_MS))

    assert sum(bar.count for bar in bars) == len(events)
    for bar in bars:
        inside = [
            one
            for one in events
            if 0 <= one.ts_open_ns // 1_000_000 - bar.open_ms < length * MINUTE_MS
        ]
        assert (bar.open, bar.close) == (inside[0].open, inside[-1].close)
        assert (bar.high, bar.low) == (max(o.high for o in inside), min(o.low for o in inside))
        scaled = sum(int(one.volume.scaleb(18)) for one in inside)
        assert int(bar.volume.scaleb(18)) == scaled
        assert bar.row()[0] % (length * MINUTE_MS) == 0


def test_a_sum_has_as_many_digits_as_its_parts(data: Path, ask: Ask, tmp_path: Path) -> None:
    fine = "0." + 49 * "0" + "1"
    rows = [f"{T0_MS + n * MINUTE_MS},1,1,1,1,{'1e17' if n else fine}" for n in range(5)]
    (tmp_path / "a.csv").write_text("ts,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    ask("import", tmp_path / "a.csv", *NAMED)

    code, _ = ask("resample", "--to", "5m", *NAMED)

    assert code == 0
    assert [str(one.volume) for one in candles_in(FIVE.folder(data))] == [f"{4 * 10**17}{fine[1:]}"]


def test_only_whole_candles_are_made_and_the_others_are_told(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    numbers = [n for n in range(3, 28) if n != 16]
    ask("import", csv(tmp_path / "a.csv", numbers), *NAMED)

    code, lines = ask("resample", "--to", "5m", *NAMED)

    assert code == 1
    assert [(one["ts"][11:16], one["candles"], one["of"]) for one in lines[:-1]] == [
        ("00:00", 2, 5),
        ("00:15", 4, 5),
        ("00:25", 3, 5),
    ]
    made = lines[-1]
    assert (made["added"], made["partial"]) == (3, 3)

    code, lines = ask("resample", "--to", "5m", *NAMED, "--partial")
    assert (code, lines[-1]["added"], lines[-1]["same"]) == (1, 3, 3)
    assert next(iter(candles_in(FIVE.folder(data), "5m"))).volume == 3 + 4


def test_a_longer_candle_that_differs_is_told_for_machines_too(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    ask("import", csv(tmp_path / "a.csv", range(4)), *NAMED)
    ask("resample", "--to", "5m", *NAMED, "--partial")
    ask("import", csv(tmp_path / "b.csv", range(4, 5)), *NAMED)

    code, lines = ask("resample", "--to", "5m", *NAMED)

    assert code == 1
    (conflict,) = lines[:-1]
    assert (conflict["event"], conflict["ts"]) == ("conflict", "2024-01-01T00:00:00Z")
    assert (conflict["stored"]["volume"], conflict["offered"]["volume"]) == ("6", "10")
    assert lines[-1]["kept"] == 1


def test_resampling_twice_changes_nothing_and_in_steps_is_the_same_as_at_once(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    ask("import", csv(tmp_path / "a.csv", range(120)), *NAMED)

    assert ask("resample", "--to", "1h", *NAMED)[1][-1]["added"] == 2
    at_once = candles_in(Series("binance", BTC, "1h").folder(data), "1h")
    ask("resample", "--to", "5m", *NAMED)
    code, lines = ask("resample", "--to", "1h", "--timeframe", "5m", *NAMED)

    assert (code, lines[-1]["added"], lines[-1]["same"]) == (0, 0, 2)
    assert [one.volume for one in at_once] == [
        sum(n % 7 for n in range(60)),
        sum(n % 7 for n in range(60, 120)),
    ]


def test_a_month_that_cannot_be_read_to_its_end_is_told_although_all_that_was_made_is_whole(
    data: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    monkeypatch.setattr("research.month_file.ROW_GROUP", 60)
    ask("import", csv(tmp_path / "a.csv", range(120)), *NAMED)
    (month,) = SERIES.folder(data).glob("*.parquet")
    second = parquet.ParquetFile(month).metadata.row_group(1).column(0)
    bad = bytearray(month.read_bytes())
    bad[second.data_page_offset + second.total_compressed_size - 1] ^= 1
    month.write_bytes(bad)
    monkeypatch.setattr("exchanges.parquet_rows._BATCH", 60)

    code, lines = ask("resample", "--to", "5m", *NAMED)

    assert (code, lines[-1]["added"], lines[-1]["partial"]) == (1, 12, 0)
    assert "2024-01.parquet:61: the rest cannot be read" in lines[-1]["problems"][0]


def test_a_file_that_is_no_month_of_the_series_is_not_resampled(
    data: Path, ask: Ask, tmp_path: Path
) -> None:
    ask("import", csv(tmp_path / "a.csv", range(10), close="99"), *NAMED)
    (month,) = SERIES.folder(data).glob("*.parquet")
    month.rename(month.with_stem("2024-01-before"))  # by its name it is read first
    ask("import", csv(tmp_path / "b.csv", range(10)), *NAMED)

    code, _ = ask("resample", "--to", "5m", *NAMED)

    assert code == 0
    assert [one.close for one in candles_in(FIVE.folder(data), "5m")] == [Decimal("105.5")] * 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "90s"], "90s is not a multiple of 1m"),
        (["--to", "1m"], "1m is not a multiple of 1m"),
        (["--to", "7x"], "--to: timeframe '7x' is not one like"),
        (["--to", "x"], "timeframe 'x' is not one like"),
        (["--to", "5m"], "there is no such series"),
    ],
)
def test_what_cannot_be_resampled_is_2_and_a_sentence(
    data: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "resample", *words, *NAMED]) == 2
    assert sentence in capsys.readouterr().err


def test_the_list_counts_without_reading(data: Path, ask: Ask, tmp_path: Path) -> None:
    ask("import", csv(tmp_path / "a.csv", [0, 1, 5, 31 * 1440]), *NAMED)

    code, (line,) = ask("list")

    assert code == 0
    assert (line["exchange"], line["symbol"], line["timeframe"]) == ("binance", BTC, "1m")
    assert (line["since"], line["until"]) == ("2024-01-01T00:00:00Z", "2024-02-01T00:01:00Z")
    assert (line["candles"], line["missing"], line["files"]) == (4, 31 * 1440 + 1 - 4, 2)
    assert line["path"] == str(SERIES.folder(Path("data")))


def test_an_empty_list_says_what_to_do(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "list"]) == 0
    assert "data import" in capsys.readouterr().out
