"""Files of every format that candles come in, and several of them as one market."""

import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from exchanges.replay import ReplaySource
from messages.errors import DataChanged, DataError
from messages.ids import Symbol
from messages.market import Candle

BTC = Symbol("BTC/USDT")
AT_ONE_MS = 1_704_067_260_000
NAMES = ("open", "high", "low", "close", "volume")
PRICES = ("100.10", "110", "90", "105.123456789012345678", "7")
BINANCE = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore\n"
TAIL = ",1704067319999,0.5,12,1,2,0\n"


def line(number: int, factor: int = 1) -> str:
    return ",".join((str((AT_ONE_MS + number * 60_000) * factor), *PRICES))


def read(*paths: Path) -> tuple[ReplaySource, list[Candle]]:
    source = ReplaySource(paths, BTC)
    return source, [event for event in source.events() if isinstance(event, Candle)]


def zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, text)
    return buffer.getvalue()


def damaged(name: str, text: str) -> bytes:
    """As of a bad disk: what is unpacked is not what was packed."""
    return zipped(name, text).replace(crc32(text.encode()).to_bytes(4, "little"), b"None")


LISTS = f"[[{line(0)}], [{line(1)}]]"
FILES = {
    "plain.csv": (line(0) + TAIL + line(1) + TAIL).encode(),
    "header.csv": (BINANCE + line(0) + TAIL + line(1) + TAIL).encode(),
    "microseconds.csv": (line(0, 1000) + TAIL + line(1, 1000) + TAIL).encode(),
    "BTCUSDT-1m-2024-01.zip": zipped("BTCUSDT-1m-2024-01.csv", line(0) + TAIL + line(1) + TAIL),
    "BTC_USDT-1m.json": LISTS.encode(),
    "spread.json": LISTS.replace(",", " ,\n ").encode(),
    "BTC_USDT-1m.json.gz": gzip.compress(LISTS.encode()),
}


@pytest.mark.parametrize("name", FILES)
def test_every_digit_of_every_format_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])

    source, candles = read(path)

    assert [one.ts_open_ns // 1_000_000 for one in candles] == [AT_ONE_MS, AT_ONE_MS + 60_000]
    assert candles[0].close == Decimal("105.123456789012345678")
    assert source.stats.problems == []


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


def write(path: Path, columns: dict[str, Any]) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    write_table(path, pa.table(columns))


def write_table(path: Path, table: Any) -> None:
    from pyarrow import feather, parquet

    if path.suffix == ".feather":
        feather.write_feather(table, str(path))
    else:
        parquet.write_table(table, path)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", b'{"candles": []}', "not a JSON list of candles"),
        ("a.json", b"[]", "no usable row"),
        ("a.json", b"[[1,2", "no usable row.*cut off"),
        ("a.json.gz", b"[[1,2]]", "not gzip"),
        ("b.json", b"", "not a JSON list of candles"),
        ("b.json", b"[", "not a JSON list of candles"),
        ("b.json", b"[" * 9_000, "no usable row.*no list of lists"),
        ("a.zip", b"PK no", "cannot be unpacked"),
        ("c.zip", damaged("a.csv", line(0)), "no usable row.*Bad CRC"),
        ("c.json.zip", damaged("a.json", LISTS), "no usable row.*Bad CRC"),
        ("b.zip", zipped("a/", ""), "holds 0 files and not one"),
        ("a.feather", b"ARROW1 no", "not a readable Feather file"),
    ],
)
def test_a_file_that_is_not_what_it_is_named_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=sentence):
        read(tmp_path / name)


def test_how_long_a_feather_is_is_reckoned_from_its_first_batch(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import feather

    count = 2_500
    columns: dict[str, Any] = {name: [100.0] * count for name in NAMES}
    columns["ts"] = [AT_ONE_MS + n * 60_000 for n in range(count)]
    feather.write_feather(pa.table(columns), str(tmp_path / "a.feather"), chunksize=1_000)

    assert ReplaySource(tmp_path / "a.feather", BTC).rows_expected() == 3_000


def test_a_cut_list_gives_what_is_before_the_cut(tmp_path: Path) -> None:
    rows = ",".join(f"[{line(number)}]" for number in range(9_000))
    cut = tmp_path / "a.json"
    cut.write_text(f"[{rows}]"[:-30])

    source, candles = read(cut)

    assert (len(candles), source.stats.malformed) == (8_999, 1)
    assert source.stats.problems == ["a.json:9000: the list is cut off here"]
    assert source.stats.cut_off == ["a.json is cut off or damaged after line 8999: get it again"]


ONE, TWO = f"[{line(0)}]", f"[{line(1)}]"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"[{ONE},{TWO}", "3: the list is cut off here"),
        (f"[{ONE},{TWO},", "3: the list is cut off here"),
        (f"[{ONE},null,{TWO}]", "2: before it stands ',null,'"),
        (f"[{ONE},[{AT_ONE_MS},1,{TWO}]", "2: before it stands ',[1704067260000,1,'"),
        (f"[{ONE}][{TWO}]", "2: before it stands ']['"),
        (f"[{ONE}{TWO}]", "2: before it stands ''"),
        (f"[{ONE},{TWO}]]", "3: the list is cut off here"),
    ],
)
def test_a_list_that_is_not_whole_is_told_although_every_row_in_it_is(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "a.json").write_text(text)

    source, candles = read(tmp_path / "a.json")

    assert len(candles) == 2
    assert source.stats.malformed == 1
    assert source.stats.problems[0].startswith(f"a.json:{problem}")


def test_a_damaged_zip_of_a_list_gives_what_is_before_the_damage(tmp_path: Path) -> None:
    rows = ",".join(f"[{line(number)}]" for number in range(20_000))
    with zipfile.ZipFile(tmp_path / "a.json.zip", "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("a.json", f"[{rows}]")
    whole = (tmp_path / "a.json.zip").read_bytes()
    (tmp_path / "a.json.zip").write_bytes(whole.replace(b",7]", b",8]", 1))

    source, candles = read(tmp_path / "a.json.zip")

    assert 0 < len(candles) < 20_000
    assert source.stats.malformed == 1
    assert "the rest cannot be read" in source.stats.problems[0]


@pytest.mark.slow
@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2], ids=["lzma", "bzip2"])
@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_a_damaged_zip_of_any_packing_gives_what_is_before_the_damage(
    tmp_path: Path, name: str, packing: int
) -> None:
    """What can't be packed well comes in many pieces: those before the damage are sound."""
    rows = [f"{line(number)}.{number**3 * 2_654_435_761 % 10**15}" for number in range(24_000)]
    path = tmp_path / f"{name}.zip"
    with zipfile.ZipFile(path, "w", packing) as packed:
        packed.writestr(name, LISTS_OF[name](rows))
    raw = bytearray(path.read_bytes())
    place = len(raw) * 95 // 100
    raw[place : place + 20] = bytes(20)
    path.write_bytes(raw)

    source, candles = read(path)

    count = len(candles)
    assert 12_000 < count < 24_000
    assert source.stats.malformed == 1
    assert source.stats.cut_off == [
        f"{path.name} is cut off or damaged after line {count}: get it again"
    ]
    assert isinstance(source.rows_expected(), int | None)


LISTS_OF: dict[str, Callable[[list[str]], str]] = {
    "a.csv": "\n".join,
    "a.json": lambda rows: "[[" + "],[".join(rows) + "]]",
}


def put(path: Path, numbers: range) -> None:
    """Write minutes in the format that the file is named by."""
    rows = list(map(line, numbers))
    if path.suffix == ".parquet":
        names = ("ts", *NAMES)
        fields = zip(*(row.split(",") for row in rows), strict=True)
        columns = dict(zip(names, map(list, fields), strict=True))
        write(path, {**columns, "ts": list(map(int, columns["ts"]))})
        return
    text = LISTS_OF["a.json" if ".json" in path.name else "a.csv"](rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize("read_again", ["events", "blocks"])
def test_a_file_that_is_replaced_between_two_readings_is_not_read_as_the_one_before(
    tmp_path: Path, name: str, read_again: str
) -> None:
    """A feed that starts anew counts on event 1 being the event 1 that it knows."""
    put(tmp_path / name, range(1, 5))
    source, candles = read(tmp_path / name)
    put(tmp_path / f"new-{name}", range(5))  # one that was missing is there now
    (tmp_path / f"new-{name}").replace(tmp_path / name)

    with pytest.raises(DataError, match=r"was changed while it was read: start again"):
        list(source.events(1) if read_again == "events" else source.blocks())
    assert read(tmp_path / name)[1][1:] == candles


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.parquet"])
@pytest.mark.parametrize("read_on", ["events", "blocks"])
@pytest.mark.parametrize("rows", [0, 3_000, 20_001], ids=["cut", "shorter", "longer"])
def test_a_file_that_is_written_over_while_it_is_read_has_no_end(
    tmp_path: Path, name: str, read_on: str, rows: int
) -> None:
    """`cp` and a shell's `>` do so: what is read then is of neither file."""
    path = tmp_path / name
    put(path, range(20_000))
    put(tmp_path / f"new-{name}", range(rows or 20_000))
    source = ReplaySource(path, BTC)
    rest = iter(source.events() if read_on == "events" else source.blocks())
    next(rest)

    content = (tmp_path / f"new-{name}").read_bytes()
    path.write_bytes(content if rows else content[: len(content) // 2])

    with pytest.raises(DataChanged, match=r"was changed while it was read: start again"):
        list(rest)


def test_a_month_that_is_replaced_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    columns: dict[str, Any] = {n: [p] * 20_000 for n, p in zip(NAMES, PRICES, strict=True)}
    times = [AT_ONE_MS + number * 60_000 for number in range(20_000)]
    write(tmp_path / "a.parquet", {"ts": times, **columns})
    events = ReplaySource(tmp_path / "a.parquet", BTC).events()
    next(events)

    write(tmp_path / "new.parquet", {"ts": times[:2], **{n: v[:2] for n, v in columns.items()}})
    (tmp_path / "new.parquet").replace(tmp_path / "a.parquet")

    assert len(list(events)) == 19_999


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
