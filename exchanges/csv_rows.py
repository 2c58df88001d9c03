"""Rows of a CSV file, plain or packed: whatever bytes there are, rows come out, in flat memory."""

import gzip
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from io import BufferedIOBase
from operator import itemgetter
from pathlib import Path

from exchanges.file_kinds import refuse_other_kinds
from exchanges.raw_rows import Complaints, Row
from exchanges.times import time_ns
from messages.errors import DataError

_BLOCK_BYTES, _PIECE_BYTES = 1 << 18, 1 << 14
_LONGEST_LINE = 1 << 12
_TOO_LONG = "?"
_HEADER_WITHIN = 5
_ENOUGH_NAMES = 2
_SHOWN = 60
_COLUMNS = ("time", "open", "high", "low", "close", "volume")
COLUMN_NAMES = {
    "ts": "time",
    "timestamp": "time",
    "time": "time",
    "date": "time",
    "datetime": "time",
    "open_time": "time",
    "opentime": "time",
    "open time": "time",
    "unix": "time",
    "vol": "volume",
    "base_volume": "volume",
} | {name: name for name in _COLUMNS}
"""What recordings call the columns of a candle, in small letters."""

Pick = Callable[[Sequence[str]], Sequence[str]]


def _unpacking_errors() -> tuple[type[Exception], ...]:
    """Give what is raised of damage, also by those packings that not every Python is built with."""
    found: list[type[Exception]] = [EOFError, OSError, zlib.error, zipfile.BadZipFile]
    for module, name in (("lzma", "LZMAError"), ("compression.zstd", "ZstdError")):
        with suppress(ImportError):
            found.append(getattr(import_module(module), name))
    return tuple(found)


DAMAGE = _unpacking_errors()
"""What unpacking raises of a cut or damaged file; an OSError that has a number is the disk's."""


def csv_rows(path: Path, tally: Complaints) -> Iterator[Row]:
    """Give the candle fields of every line but the header, in the order that candles need.

    A line with other columns than the first gives no fields. A cut or damaged gzip or zip ends
    the rows and is counted as one malformed row.

    Raises:
        DataError: the file cannot be opened or read, or its header lacks a column or has none
            that is known.
    """
    number, layout = 0, None
    try:
        for lines in _line_blocks(path):
            if layout is None:
                layout = _Layout.of(path, lines)
            separator, width = layout.separator, layout.width
            pick, header = layout.pick, layout.header
            for line in lines:
                number += 1
                fields = line.split(separator)
                if len(fields) == width and len(line) <= _LONGEST_LINE:
                    if number != header:
                        yield number, fields if pick is None else pick(fields)
                elif line and not line.isspace():
                    yield number, ()
    except DAMAGE as error:
        if isinstance(error, gzip.BadGzipFile) and not number:
            raise DataError(f"{path}: is named .gz but is not gzip") from error
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        tally.cut_off(number + 1, f"the compressed data is cut or damaged here: {error}")


def csv_row_guess(path: Path) -> int | None:
    """Guess the number of lines from the size of the file and its first lines."""
    try:
        with _open(path) as stream:
            head = stream.read1(_BLOCK_BYTES)
        size = _unpacked_size(path)
    except DAMAGE:
        return None
    return size * head.count(b"\n") // len(head) if head else None


def _unpacked_size(path: Path) -> int:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            return sum(one.file_size for one in packed.infolist())
    if path.suffix == ".gz":  # which ends with its length before it was packed
        with path.open("rb") as stream:
            stream.seek(-4, os.SEEK_END)
            return int.from_bytes(stream.read(4), "little")
    return path.stat().st_size


def _line_blocks(path: Path) -> Iterator[list[str]]:
    """Give runs of whole lines. A line that is too long comes as a mark that is no row."""
    rest, too_long, is_begun = b"", False, False
    for block in blocks_of(path):
        if not is_begun:
            refuse_other_kinds(path, block)
            is_begun = True
        head, newline, tail = block.rpartition(b"\n")
        if not newline:
            too_long = too_long or len(rest) + len(tail) > _LONGEST_LINE
            rest = b"" if too_long else rest + tail
            continue
        yield _lines(rest + head, too_long=too_long)
        rest, too_long = tail, False
    if rest or too_long:
        yield _lines(rest, too_long=too_long)


def _lines(block: bytes, *, too_long: bool) -> list[str]:
    bare = block.removeprefix(b"\xef\xbb\xbf").replace(b'"', b"")
    lines = bare.decode("ascii", "replace").split("\n")
    if too_long:
        lines[0] = _TOO_LONG
    return lines


def blocks_of(path: Path) -> Iterator[bytes]:
    """Give what a file holds, unpacked, in blocks.

    Raises:
        DataError: it cannot be opened.
        DAMAGE: it is cut or damaged.
    """
    with _open(path) as stream:
        size = _bytes_at_once(path)
        while block := stream.read1(size):
            yield block


def _bytes_at_once(path: Path) -> int:
    """Give how much is unpacked at once: damage takes what is before it in its piece along.

    Of LZMA and bzip2 a piece is that much before it is unpacked, and of any size afterwards.
    """
    if path.suffix != ".zip":
        return _BLOCK_BYTES
    with zipfile.ZipFile(path) as packed:
        kinds = {one.compress_type for one in packed.infolist()}
    return _BLOCK_BYTES if kinds <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} else _PIECE_BYTES


def _open(path: Path) -> BufferedIOBase:
    try:
        if path.suffix == ".zip":
            return _the_one_in_zip(path)
        return gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error.strerror}") from error


def _the_one_in_zip(path: Path) -> BufferedIOBase:
    try:
        packed = zipfile.ZipFile(path)
        names = [name for name in packed.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise DataError(f"{path}: the zip holds {len(names)} files and not one: unpack it")
        unpacked: BufferedIOBase = packed.open(names[0])  # type: ignore[assignment]  # of a zip, which is one
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: is named .zip and cannot be unpacked: {error}") from error
    return unpacked


class _Layout:
    """How the fields of a line are found, judged by the first lines."""

    def __init__(self, separator: str, width: int, names: Sequence[str], header: int) -> None:
        self.separator = separator
        self.width = width
        self.header = header
        """The number of the header's line; 0 when there is none."""
        order = [names.index(name) for name in _COLUMNS]
        straight = width == 6 and order == list(range(6))
        self.pick: Pick | None = None if straight else itemgetter(*order)

    @classmethod
    def of(cls, path: Path, lines: Sequence[str]) -> "_Layout":
        for number, line in enumerate(lines[:_HEADER_WITHIN], 1):
            separator = _separator(line)
            names = [COLUMN_NAMES.get(name.strip(), "") for name in line.lower().split(separator)]
            if sum(map(bool, names)) < _ENOUGH_NAMES:
                continue
            missing = [name for name in _COLUMNS if name not in names]
            if missing:
                raise DataError(f"{path}: {_missing(missing)}; it names {line.strip()[:_SHOWN]}")
            return cls(separator, len(names), names, number)
        separator = _separator(lines[0])
        width = _usual_width(lines, separator)
        _refuse_unknown_names(path, lines[:_HEADER_WITHIN], separator, width)
        return cls(separator, width, _COLUMNS, 0)


def _missing(columns: Sequence[str]) -> str:
    """Say which columns a header lacks, and what they may be called."""
    told = []
    for column in columns:
        others = [name for name, of in COLUMN_NAMES.items() if of == column and name != column]
        told.append(f"{column} (or {', '.join(others)})" if others else column)
    return f"the header has no column for {', '.join(columns)}: call them {', '.join(told)}"


def _separator(line: str) -> str:
    return max(",;\t", key=line.count)


def _usual_width(lines: Sequence[str], separator: str) -> int:
    """Without a header: as many columns as the first line has that begins with a time."""
    for line in lines:
        fields = line.split(separator)
        if len(fields) >= 6 and _is_time(fields[0]):
            return len(fields)
    return 6


def _refuse_unknown_names(path: Path, lines: Sequence[str], separator: str, width: int) -> None:
    """Refuse a header of which nothing is known: its columns may stand in any order."""
    for line in lines:
        fields = [field.strip() for field in line.split(separator)]
        if len(fields) == width and all(map(_is_word, fields)):
            raise DataError(
                f"{path}: its header names no columns that are known"
                f" ({line.strip()[:_SHOWN]}): call them ts, open, high, low, close, volume"
            )


def _is_word(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.replace("_", "").replace(" ", "").isalpha()
    return False


def _is_time(text: str) -> bool:
    try:
        time_ns(text)
    except ValueError:
        return False
    return True
