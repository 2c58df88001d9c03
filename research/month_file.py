"""One month of candles as a Parquet file: replaced as a whole or not at all.

Prices are text, since text is exact, is what the replay feed reads (as decimal128 the same
candles are a third larger and take six times as long), and every tool can cast it.
"""

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec

from messages.errors import DataError
from messages.extras import how_to_install
from research.candle_row import StoredRow
from research.merging import Merged, merge
from research.series import Series

ROW_GROUP = 1 << 16
_BATCH = 8_192
_COLUMNS = ("ts", "open", "high", "low", "close", "volume")
_ABOUT = b"watchkeeper"
TEMPORARY = ".tmp"


class Footer(msgspec.Struct, frozen=True):
    """What a file says of itself without its candles being read."""

    series: Series
    rows: int
    first_ms: int
    last_ms: int


def read_footer(path: Path) -> Footer | None:
    """Give what a file of the store says of itself; None for a Parquet file of somebody else.

    Raises:
        DataError: it is not readable.
    """
    with closing(_opened(path)) as file:
        series = _series_of(file)
        if series is None:
            return None
        spans = [
            file.metadata.row_group(number).column(0).statistics
            for number in range(file.num_row_groups)
        ]
        if not spans or not all(span is not None and span.has_min_max for span in spans):
            return None
        first, last = _ms(spans[0].min), _ms(spans[-1].max)
        return Footer(series, file.metadata.num_rows, first, last)


def read_times(path: Path) -> Iterator[Sequence[int]]:
    """Give the open times in ms, in runs.

    Raises:
        DataError: it is not readable.
    """
    with closing(_opened(path)) as file:
        for batch in _read(file, path, ["ts"]):
            yield _times(batch)


def merge_into(path: Path, series: Series, rows: Sequence[StoredRow], *, replace: bool) -> Merged:
    """Merge rows, in order and each time once, into a month. Killed anywhere, it is old or new.

    Without a change the file is not touched.

    Raises:
        DataError: the file is not readable, is not of this series, or cannot be written: it is as
            it was, unless the text says that it was replaced.
    """
    merged, temporary = Merged(), path.with_name(f".{path.name}{TEMPORARY}")
    try:
        with closing(_Writer(temporary, series)) as writer:
            place, times = 0, [row[0] for row in rows]
            for batch in _batches(path, series):
                upto = bisect_right(times, batch.column("ts")[-1].value)
                if place == upto:
                    writer.copy(batch)
                    continue
                both = merge(_rows(batch), rows[place:upto], merged, replace=replace)
                writer.write(list(both))
                place = upto
            writer.write(rows[place:])
            merged.added += len(rows) - place
        if merged.is_change:
            flush(temporary)
            temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error}): it is as it was") from error
    finally:
        temporary.unlink(missing_ok=True)
    if merged.is_change:
        _keep_name(path)
    return merged


def _keep_name(path: Path) -> None:
    try:
        flush(path.parent)
    except OSError as error:
        raise DataError(
            f"{path}: was replaced, but may not outlive a loss of power ({error}): look at the disk"
        ) from error


def flush(path: Path) -> None:
    """Wait until the disk holds a file, or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class _Writer:
    """Writes row groups of one size, however the rows come: equal candles make equal files."""

    def __init__(self, path: Path, series: Series) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        fields: list[Any] = [pa.field("ts", pa.timestamp("ms", "UTC"), nullable=False)]
        fields += [pa.field(name, pa.string(), nullable=False) for name in _COLUMNS[1:]]
        about: Any = {_ABOUT: msgspec.json.encode(series)}
        self._schema = pa.schema(fields, metadata=about)
        self._pending: list[Any] = []
        self._count = 0
        options: Any = {"use_dictionary": list(_COLUMNS[1:])}
        self._file = parquet.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=3,
            write_page_checksum=True,  # else a bit that flips on the disk makes another price
            column_encoding={"ts": "DELTA_BINARY_PACKED"},
            **options,
        )

    def write(self, rows: Sequence[StoredRow]) -> None:
        """Add rows."""
        import pyarrow as pa

        for start in range(0, len(rows), ROW_GROUP):
            columns = list(zip(*rows[start : start + ROW_GROUP], strict=True))
            arrays = [
                pa.array(column, field.type)
                for column, field in zip(columns, self._schema, strict=True)
            ]
            self.copy(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def copy(self, batch: Any) -> None:
        """Add a batch of another file as it is."""
        import pyarrow as pa

        self._pending.append(batch.cast(self._schema))
        self._count += batch.num_rows
        while self._count >= ROW_GROUP:
            whole = pa.Table.from_batches(self._pending).combine_chunks()
            self._put(whole.slice(0, ROW_GROUP))
            self._pending = whole.slice(ROW_GROUP).to_batches()
            self._count -= ROW_GROUP

    def close(self) -> None:
        """Write the rest, and the footer."""
        import pyarrow as pa

        if self._count:
            self._put(pa.Table.from_batches(self._pending).combine_chunks())
            self._pending, self._count = [], 0
        self._file.close()

    def _put(self, table: Any) -> None:
        self._file.write_table(table, row_group_size=ROW_GROUP)


def _batches(path: Path, series: Series) -> Iterator[Any]:
    if not path.exists():
        return
    with closing(_opened(path)) as file:
        if _series_of(file) != series:
            raise DataError(
                f"{path}: is not a month of {series.symbol} {series.timeframe}: move it"
            )
        yield from _read(file, path, _COLUMNS)


def _read(file: Any, path: Path, columns: Sequence[str]) -> Iterator[Any]:
    try:
        yield from file.iter_batches(batch_size=_BATCH, columns=list(columns))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is damaged ({error}): move it away, then get it anew") from error


def _rows(batch: Any) -> list[StoredRow]:
    columns = [batch.column(name).to_pylist() for name in _COLUMNS[1:]]
    return list(zip(_times(batch), *columns, strict=True))


def _times(batch: Any) -> list[int]:
    import pyarrow as pa

    times: list[int] = batch.column("ts").cast(pa.int64()).to_pylist()
    return times


def _ms(moment: Any) -> int:
    ms: int = round(moment.timestamp() * 1000)
    return ms


def _series_of(file: Any) -> Series | None:
    about = (file.schema_arrow.metadata or {}).get(_ABOUT)
    with suppress(msgspec.DecodeError):
        if about is not None:
            return msgspec.json.decode(about, type=Series)
    return None


def _opened(path: Path) -> Any:
    parquet = import_parquet()
    try:
        return parquet.ParquetFile(path, page_checksum_verification=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is not a readable Parquet file") from error


def import_parquet() -> Any:
    """Import what reads and writes the store.

    Raises:
        DataError: it is not installed.
    """
    # Its own allocator keeps what it has freed: 80 MB more after some months of candles. Read once,
    # when it is imported.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(f"data needs pyarrow: {how_to_install('parquet')}") from error
    return parquet
