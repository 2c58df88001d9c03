"""Files of every format that candles come in, and what is not what it is named."""

import gzip
import io
import zipfile
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import pytest

from messages.errors import DataError
from tests.exchanges.recordings.candle_files import AT_ONE_MS, line, read

BINANCE = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore\n"
TAIL = ",1704067319999,0.5,12,1,2,0\n"


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
