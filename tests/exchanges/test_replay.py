"""Recordings, sound and broken."""

import builtins
import gzip
import io
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exchanges.replay import ReplaySource
from messages.errors import DataError
from messages.ids import Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Trade
from messages.values import Side

BTC = Symbol("BTC/USDT")
MINUTE_NS = 60_000_000_000
HEADER = "ts,open,high,low,close,volume\n"
# Minutes 1, 2 and 3 of a day in 2024.
ONE, TWO, THREE = (f"{1_704_067_200_000 + n * 60_000},100,110,90,105,7\n" for n in (1, 2, 3))
AT_ONE = 1_704_067_260_000_000_000


def write(folder: Path, content: str | bytes, name: str = "candles.csv") -> Path:
    raw = content.encode() if isinstance(content, str) else content
    path = folder / name
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


def read(path: Path, start_index: int = 0) -> tuple[ReplaySource, list[MarketEvent]]:
    source = ReplaySource(path, BTC)
    return source, list(source.events(start_index))


def test_a_candle_is_known_at_its_close(tmp_path: Path) -> None:
    _, events = read(write(tmp_path, HEADER + ONE))

    assert events == [
        Candle(
            symbol=BTC,
            open=Decimal(100),
            high=Decimal(110),
            low=Decimal(90),
            close=Decimal(105),
            volume=Decimal(7),
            ts_open_ns=TimestampNs(AT_ONE),
            ts_event_ns=TimestampNs(AT_ONE + MINUTE_NS),
        )
    ]


@pytest.mark.parametrize(
    "time",
    [
        "1704067260",
        "1704067260.0",
        "1704067260000",
        "1704067260000000",
        "1704067260000000000",
        "2024-01-01T00:01:00Z",
        "2024-01-01 00:01:00",
        "2024-01-01T01:01:00+01:00",
    ],
)
def test_time_may_be_written_in_many_ways(tmp_path: Path, time: str) -> None:
    _, (event,) = read(write(tmp_path, f"{time},100,110,90,105,7"))

    assert isinstance(event, Candle)
    assert event.ts_open_ns == AT_ONE


@pytest.mark.parametrize(
    "content",
    [
        ONE,
        HEADER + ONE,
        "\ufeff" + HEADER + ONE,
        HEADER.upper() + ONE,
        (HEADER + ONE).replace("\n", "\r\n"),
        (HEADER + ONE).replace(",", ";"),
        "# from somewhere\n" + HEADER + ONE,
        '"ts","open","high","low","close","volume"\n' + ONE,
        "volume,close,low,high,open,date,extra\n7,105,90,110,100,1704067260000,x\n",
        ONE.strip() + ",1704067319999,0.5,12,1,2,0\n",
    ],
)
def test_columns_may_come_in_many_ways(tmp_path: Path, content: str) -> None:
    _, (event,) = read(write(tmp_path, content))

    assert isinstance(event, Candle)
    assert (event.open, event.volume) == (Decimal(100), Decimal(7))


QUOTED = "".join('"' + row.strip().replace(",", '","') + '"\n' for row in (ONE, TWO, THREE))


@pytest.mark.parametrize(
    "content", [QUOTED, HEADER + QUOTED, "# from somewhere\n" + HEADER + QUOTED, ONE + QUOTED]
)
def test_fields_may_be_in_quotes_whatever_line_comes_first(tmp_path: Path, content: str) -> None:
    source, events = read(write(tmp_path, content))

    assert len(events) == 3
    assert source.stats.malformed == content.count("#"), "a comment is no row"


MALFORMED = {
    "text": b"hello\n",
    "a word for a price": b"1704067320000,100,110,90,abc,7\n",
    "no price": b"1704067320000,100,110,90,,7\n",
    "zero price": b"1704067320000,0,110,0,105,7\n",
    "negative price": b"1704067320000,-100,110,-100,105,7\n",
    "negative volume": b"1704067320000,100,110,90,105,-7\n",
    "NaN": b"1704067320000,NaN,110,90,105,7\n",
    "signalling NaN": b"1704067320000,100,110,90,105,sNaN\n",
    "infinity": b"1704067320000,100,inf,90,105,7\n",
    "an absurd exponent": b"1704067320000,100,1e999999,90,105,7\n",
    "high below low": b"1704067320000,100,90,110,105,7\n",
    "open above high": b"1704067320000,111,110,90,105,7\n",
    "close below low": b"1704067320000,100,110,90,89,7\n",
    "too few columns": b"1704067320000,100,110,90,105\n",
    "too many columns": b"1704067320000,100,110,90,105,7,8\n",
    "time zero": b"0,100,110,90,105,7\n",
    "time far ahead": b"4000000000000,100,110,90,105,7\n",
    "time that is a word": b"noon,100,110,90,105,7\n",
    "time of many digits": b"9" * 4000 + b",100,110,90,105,7\n",
    "opens within the bar before": b"1704067261000,100,110,90,105,7\n",
    "a NUL byte": b"1704067320000,100,1\x0010,90,105,7\n",
    "invalid UTF-8": b"1704067320000,100,\xff\xfe,90,105,7\n",
    "binary rubbish": bytes(b for b in range(256) if b != 10) + b"\n",
    "ten megabytes": b"1704067320000," + b"1" * 10_000_000 + b"\n",
    "a long line with all columns": b"1704067320000,100,110,90,105,7." + b"0" * 9000 + b"\n",
}


def test_a_file_whose_newest_candle_comes_first_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    """It would be one event, and all the others too old."""
    rows = [f"{1_704_067_200_000 + n * 60_000},100,110,90,105,7\n" for n in range(9)]

    with pytest.raises(DataError, match=r"candles\.csv: its newest candle comes first: sort it by"):
        ReplaySource(write(tmp_path, HEADER + "".join(rows[::-1])), BTC)

    source, events = read(write(tmp_path, HEADER + "".join(rows[4:] + rows[:4])))
    assert (len(events), source.stats.out_of_order) == (5, 4), "disorder is dropped and counted"
    assert len(read(write(tmp_path, HEADER + "".join(rows[:3][::-1])))[1]) == 1


@pytest.mark.parametrize("bad", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_row_is_counted_and_the_rest_is_read(tmp_path: Path, bad: bytes) -> None:
    source, events = read(write(tmp_path, HEADER.encode() + ONE.encode() + bad + THREE.encode()))

    assert len(events) == source.stats.usable == 2
    assert source.stats.malformed == 1
    assert source.stats.problems[0].startswith("candles.csv:3: ")
    assert len(source.stats.problems[0]) < 200


def test_a_duplicate_and_an_old_row_are_dropped_and_a_gap_passes(tmp_path: Path) -> None:
    source, events = read(write(tmp_path, TWO + TWO + ONE + "1704067680,100,110,90,105,7\n"))

    stats = source.stats
    assert len(events) == 2
    assert (stats.duplicate, stats.out_of_order, stats.gaps, stats.missing) == (1, 1, 1, 5)
    assert stats.gap_spans[0].ts_to_ns == 1_704_067_680_000_000_000
    assert (stats.gap_spans[0].symbol, stats.gap_spans[0].place) == (BTC, "candles.csv:4")


def test_reading_again_counts_nothing_twice(tmp_path: Path) -> None:
    source, events = read(write(tmp_path, ONE + "bad\n" + TWO + TWO + THREE))

    again = list(source.events(1))

    assert again == events[1:]
    stats = source.stats
    assert (stats.usable, stats.malformed, stats.duplicate) == (3, 1, 1)
    assert len(stats.problems) == 2


def test_only_the_first_twenty_problems_are_kept(tmp_path: Path) -> None:
    source, _ = read(write(tmp_path, ONE + "bad\n" * 1000))

    assert (source.stats.malformed, len(source.stats.problems)) == (1000, 20)


@pytest.mark.slow
def test_a_cut_gzip_gives_the_rows_before_the_cut(tmp_path: Path) -> None:
    rows = [f"{1_704_067_200 + n * 60},{100 + n % 7},110,90,105,{n}\n" for n in range(50_000)]
    path = write(tmp_path, "".join(rows), "candles.csv.gz")
    path.write_bytes(path.read_bytes()[:-20_000])

    source, events = read(path)

    assert 30_000 < len(events) < 50_000
    assert source.stats.malformed == 1
    assert "cut or damaged" in source.stats.problems[0]
    last = len(events)
    assert source.stats.cut_off == [
        f"candles.csv.gz is cut off or damaged after line {last}: get it again"
    ]


def test_of_several_files_the_one_that_is_cut_off_is_named(tmp_path: Path) -> None:
    first = write(tmp_path, HEADER + ONE + TWO + "x" * 5_000, "a.csv.gz")
    first.write_bytes(first.read_bytes()[:-9])
    second = write(tmp_path, HEADER + THREE, "b.csv")

    source = ReplaySource([first, second], BTC)

    assert len(list(source.events())) == 3, "what is there is used"
    assert source.stats.cut_off == ["a.csv.gz is cut off or damaged after line 3: get it again"]


def test_a_parquet_file_that_is_damaged_in_its_middle_is_cut_off_there(tmp_path: Path) -> None:
    times = [1_704_067_200_000 + n * 60_000 for n in range(30_000)]
    names = ("open", "high", "low", "close", "volume")
    columns: dict[str, list[Any]] = {"ts": list(times)}
    columns |= {name: [1.0 + n / 7 for n in range(30_000)] for name in names}
    raw = bytearray(parquet(columns, rows_of_a_group=10_000))
    place = len(raw) * 2 // 3
    raw[place : place + 64] = bytes(64)

    source, events = read(write(tmp_path, bytes(raw), "x.parquet"))

    stats = source.stats
    assert 0 < len(events) < 30_000
    assert (stats.malformed, len(stats.cut_off)) == (1, 1)
    assert stats.cut_off[0] == (
        f"x.parquet is cut off or damaged after line {len(events)}: get it again"
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.csv", b"", "no usable row"),
        ("other.csv", b"a,b,c\n1,2,3\n", r"\(a candle has the columns ts, open, high, low, close"),
        ("header.csv", HEADER.encode(), "no usable row"),
        ("rubbish.csv", bytes(range(256)) * 9, "no usable row"),
        ("short.csv", b"ts,open,close\n1,2,3\n", "no column for high, low, volume"),
        (
            "units.csv",
            b"ts,open,high,low,close,Volume BTC\n1,2,3,1,2,7\n",
            r"no column for volume: call them volume \(or vol, base_volume\); it names ts,open,high"
            r",low,close,Volume BTC",
        ),
        ("book.csv", b"PK\x03\x04" + bytes(range(256)) * 9, r"\.csv: is a zip, as \.xlsx is: end"),
        ("packed.csv", gzip.compress(HEADER.encode()), r"is gzip: end its name in \.gz"),
        ("old.csv", b"\xd0\xcf\x11\xe0" + bytes(512), "is an Excel file: save the sheet as CSV"),
        ("table.csv", b"PAR1" + bytes(512), r"is Parquet: end its name in \.parquet"),
        ("unicode.csv", (HEADER + ONE).encode("utf-16"), "is UTF-16, as Excel's Unicode text is"),
        ("bare.csv", (HEADER + ONE).encode("utf-16-be"), "is UTF-16, .* save it as UTF-8"),
        (
            "names.csv",
            b"when,c,h,l,o,v\n1704067200,105,110,90,100,7\n",
            r"no columns that are known \(when,c,h,l,o,v\): call them ts, open, high, low, close",
        ),
        ("rubbish.parquet", b"PAR1 not really", "not a readable Parquet file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        ReplaySource(write(tmp_path, content, name), BTC)


@pytest.mark.parametrize(
    "first", ["https://www.example.com/,,,,,\n", "a,note\n", "nan,1,1,1,1,1\n"]
)
def test_a_line_before_the_candles_that_is_no_header_is_passed_over(
    tmp_path: Path, first: str
) -> None:
    source, events = read(write(tmp_path, first + ONE + TWO))

    assert (len(events), source.stats.malformed) == (2, 1)


def test_what_is_named_gz_must_be_gzip(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv.gz"
    path.write_text(HEADER + ONE)

    with pytest.raises(DataError, match="not gzip"):
        ReplaySource(path, BTC)


@pytest.mark.parametrize("name", ["missing.csv", "missing.csv.gz", "missing.parquet", "."])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"cannot be opened|no such file"):
        ReplaySource(tmp_path / name, BTC)


@pytest.mark.parametrize("timeframe", ["", "m", "1x", "0m", "-1m", "1.5m"])
def test_a_wrong_timeframe_is_refused(tmp_path: Path, timeframe: str) -> None:
    with pytest.raises(DataError, match="timeframe"):
        ReplaySource(write(tmp_path, ONE), BTC, timeframe)


def test_parquet_without_pyarrow_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_import = builtins.__import__

    def no_pyarrow(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return true_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_pyarrow)

    with pytest.raises(DataError, match=r"pip install '\.\[parquet\]'"):
        ReplaySource(write(tmp_path, b"", "candles.parquet"), BTC)


def parquet(columns: dict[str, list[Any]], rows_of_a_group: int | None = None) -> bytes:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet as pq

    buffer = io.BytesIO()
    pq.write_table(
        pa.table(columns), buffer, row_group_size=rows_of_a_group, write_page_checksum=True
    )
    return buffer.getvalue()


def test_a_malformed_parquet_row_is_counted(tmp_path: Path) -> None:
    times = [1_704_067_200_000 + n * 60_000 for n in range(4)]
    numbers: list[Any] = [100.0, float("nan"), None, float("inf")]
    names = ("open", "high", "low", "close", "volume")
    columns: dict[str, list[Any]] = {"ts": list(times), **dict.fromkeys(names, numbers)}
    path = write(tmp_path, parquet(columns), "x.parquet")

    source, events = read(path)

    assert (len(events), source.stats.malformed) == (1, 3)


def test_trades_of_another_market_or_venue_are_left_out(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "ts": [1_704_067_200_000] * 5,
        "venue": ["spot", "spot", "spot", "futures", "spot"],
        "symbol": ["BTCUSD_PERP", "BTCUSDT", "ETHUSDT", "BTCUSDT", "BTCUSDT"],
        "trade_id": [1, 2, 3, 4, 2],
        "price": [1.0, 2.5, 3.0, 4.0, 2.5],
        "qty": [1.0, 0.1, 1.0, 1.0, 0.1],
        "buyer_maker": [True, True, True, True, True],
    }

    source, events = read(write(tmp_path, parquet(columns), "trades.parquet"))

    (trade,) = events
    assert isinstance(trade, Trade)
    assert (trade.price, trade.quantity) == (Decimal("2.5"), Decimal("0.1"))
    assert trade.aggressor_side is Side.SELL
    assert source.stats.duplicate == 1


@pytest.mark.slow
def test_a_recorded_week_is_whole_and_equal_in_both_formats(recorded: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    week = recorded / "candles_1m" / "permissive" / "binance_BTCUSDT_2026-06.csv.gz"

    source, events = read(week)
    _, twin = read(week.with_name("binance_BTCUSDT_2026-06.parquet"))

    assert len(events) == source.stats.usable == 10_080
    assert (source.stats.malformed, source.stats.gaps) == (0, 0)
    assert events == twin


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "symbol", "count"),
    [
        ("binance_2024-08_hft", "BTC/USDT", 19_904),
        ("binance_XRP_ETH-trades", "XRP/ETH", 12_477),
        ("kraken_BTC_USDT-trades", "BTC/USDT", 26_921),
    ],
)
def test_recorded_trades_of_three_shapes_are_read(
    recorded: Path, name: str, symbol: str, count: int
) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")

    source = ReplaySource(recorded / "trades" / f"{name}.parquet", Symbol(symbol))
    events = list(source.events())

    assert len(events) == count
    assert all(a.ts_event_ns <= b.ts_event_ns for a, b in pairwise(events))
    assert {e.aggressor_side for e in events if isinstance(e, Trade)} == {Side.BUY, Side.SELL}
