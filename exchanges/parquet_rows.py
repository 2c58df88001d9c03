"""Rows of a Parquet or Feather file, batch by batch; pyarrow is imported only when used."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from exchanges.csv_rows import COLUMN_NAMES
from exchanges.raw_rows import Complaints, Row
from messages.errors import DataError
from messages.extras import how_to_install
from messages.ids import Symbol

_BATCH = 8192
_CANDLE_NAMES = ("time", "open", "high", "low", "close", "volume")
FEATHER_SUFFIX = ".feather"
_PRICE = "price"
_UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


class ParquetTable:
    """One file, opened to look at its columns; each reading opens it again.

    Raises:
        DataError: pyarrow is missing, or the file is not Parquet (or Feather, where its suffix
            says so).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._file()) as file:
            self._names = list(file.schema_arrow.names)
            self._types = {field.name: str(field.type) for field in file.schema_arrow}

    @property
    def has_trades(self) -> bool:
        """Whether it holds trades; else it is taken for candles."""
        return _PRICE in self._names

    def candle_rows(self, tally: Complaints) -> Iterator[Row]:
        """Give open time, open, high, low, close, volume, each as text.

        Raises:
            DataError: a column is missing, or the first batch cannot be read.
        """
        number = 0
        for columns in self.candle_columns(tally):
            for fields in as_texts(columns):
                number += 1
                yield number, fields

    def candle_columns(self, tally: Complaints) -> Iterator[list[list[Any]]]:
        """Give the same in columns, batch by batch, each value as the file holds it.

        Raises:
            DataError: a column is missing or there twice, or the first batch cannot be read.
        """
        return self._batches(self._candle_columns(), tally)

    @property
    def row_count(self) -> int:
        """How many rows the file says it has; of Feather, which does not say, a guess."""
        with closing(self._file()) as file:
            return int(file.row_count if isinstance(file, _FeatherFile) else file.metadata.num_rows)

    def trade_rows(self, symbol: Symbol, tally: Complaints) -> Iterator[Row]:
        """Give time, price, quantity, aggressor's side and trade id, each as text.

        Where the file has a symbol column, only rows of `symbol` count, and where it has a
        venue column, only those of the first venue that lists it: a market is one venue's.

        Raises:
            DataError: a column is missing, or the first batch cannot be read.
        """
        layout = _TradeLayout(self._path, self._names)
        number, venue = 0, None
        for columns in self._batches(layout.names, tally):
            for raw in zip(*columns, strict=True):
                number += 1
                if not is_same_market(layout.symbol(raw), symbol):
                    continue
                venue = venue or layout.venue(raw)
                if layout.venue(raw) == venue:
                    yield number, layout.fields(raw)

    @property
    def zone(self) -> str | None:
        """What zone the times of candles are in; empty if the file does not say, None: no need.

        Numbers since 1970 and moments with a zone mean one moment, whoever reads them.
        """
        kind = self._types[self._candle_columns()[0]]
        if kind.startswith("timestamp["):
            return None if "tz=" in kind else ""
        return "" if kind in ("string", "large_string", "date32[day]") else None

    def _candle_columns(self) -> list[str]:
        found: dict[str, str] = {"time": "ts"} if "ts" in self._names else {}
        for name in self._names:
            found.setdefault(COLUMN_NAMES.get(name.lower(), ""), name)
        missing = ["ts" if n == "time" else n for n in _CANDLE_NAMES if n not in found]
        if missing:
            raise DataError(f"{self._path}: there is no column {', '.join(missing)}")
        return [found[name] for name in _CANDLE_NAMES]

    def _batches(self, names: Sequence[str], tally: Complaints) -> Iterator[list[list[Any]]]:
        self._check_there_once(names)
        number = 0
        with closing(self._file()) as file:
            batches = file.iter_batches(batch_size=_BATCH, columns=list(names))
            while True:
                try:
                    batch = next(batches, None)
                except (OSError, ValueError) as error:
                    tally.cut_off(number + 1, f"the rest cannot be read: {error}")
                    return
                if batch is None:
                    return
                number += batch.num_rows
                yield [_plain(batch.column(name)) for name in names]

    def _check_there_once(self, names: Sequence[str]) -> None:
        for name in names:
            if self._names.count(name) > 1:
                text = f"the column {name} is there more than once: keep one of them"
                raise DataError(f"{self._path}: {text}")

    def _file(self) -> Any:
        if not self._path.is_file():
            raise DataError(f"{self._path}: there is no such file")
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise DataError(
                f"{self._path}: it takes pyarrow to read: {how_to_install('parquet')}"
            ) from error
        is_feather = self._path.suffix.lower() == FEATHER_SUFFIX
        try:
            if is_feather:
                return _FeatherFile(self._path)
            # What is written with checksums, as the store's months are, is held to them.
            return parquet.ParquetFile(self._path, page_checksum_verification=True)
        except (OSError, ValueError) as error:
            kind = "Feather" if is_feather else "Parquet"
            raise DataError(f"{self._path}: is not a readable {kind} file") from error


class _FeatherFile:
    """A Feather file with the methods of a Parquet file that are used here."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._stream = pa.OSFile(str(path), "rb")  # not mapped: what was read would stay in memory
        try:
            self._reader = pa.ipc.open_file(self._stream)
        except BaseException:
            self._stream.close()
            raise
        self.schema_arrow = self._reader.schema

    @property
    def row_count(self) -> int:
        """Reckoned from the first batch: to count them, all would have to be read."""
        count = int(self._reader.num_record_batches)
        return count * int(self._reader.get_batch(0).num_rows) if count else 0

    def iter_batches(self, batch_size: int, columns: list[str]) -> Iterator[Any]:
        for number in range(self._reader.num_record_batches):
            batch = self._reader.get_batch(number).select(columns)
            for start in range(0, batch.num_rows, batch_size):
                yield batch.slice(start, batch_size)

    def close(self) -> None:
        self._stream.close()


def as_texts(columns: Sequence[Sequence[Any]]) -> Iterator[tuple[str, ...]]:
    """Give the rows of candle columns as text: a float in its shortest form."""
    times, *numbers = columns
    texts = [map(_writer_of(column), column) for column in numbers]
    return zip(map(str, times), *texts, strict=True)


class _TradeLayout:
    """Where the shapes that recordings of trades have keep the same things."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._quantity = _first_of(names, ("amount", "qty", "quantity", "size"))
        self._side = _first_of(names, ("side", "buyer_maker"))
        self._id = _first_of(names, ("trade_id", "id"))
        self._symbol = _first_of(names, ("symbol",))
        self._venue = _first_of(names, ("venue",))
        if "ts" not in names or self._quantity is None:
            raise DataError(f"{path}: trades need the columns ts, price and amount or qty")
        optional = (self._quantity, self._side, self._id, self._symbol, self._venue)
        self.names = ["ts", _PRICE, *(name for name in optional if name)]
        self._place = {name: place for place, name in enumerate(self.names)}

    def symbol(self, raw: Sequence[Any]) -> str | None:
        """The row's own symbol; None when the file has but one."""
        return self._text(raw, self._symbol) if self._symbol else None

    def venue(self, raw: Sequence[Any]) -> str:
        return self._text(raw, self._venue)

    def fields(self, raw: Sequence[Any]) -> tuple[str, ...]:
        price, quantity = raw[1], raw[self._place[str(self._quantity)]]
        numbers = _writer_of([price])(price), _writer_of([quantity])(quantity)
        return str(raw[0]), *numbers, self._aggressor(raw), self._text(raw, self._id)

    def _aggressor(self, raw: Sequence[Any]) -> str:
        if self._side != "buyer_maker":
            return self._text(raw, self._side).lower()
        # The buyer was resting, so it was the seller who came to trade.
        return "sell" if raw[self._place["buyer_maker"]] else "buy"

    def _text(self, raw: Sequence[Any], name: str | None) -> str:
        value = raw[self._place[name]] if name else None
        return "" if value is None else str(value)


def is_same_market(listed: str | None, wanted: Symbol) -> bool:
    """Whether a venue's own name (``BTCUSDT``, ``btc-usdt``, ``BTC``) means the symbol.

    A name with anything more in it (``BTCUSD_PERP``) is another market.
    """
    if listed is None:
        return True
    base = wanted.partition("/")[0].upper()
    bare = "".join(c for c in listed.upper() if c.isalnum())
    return bare in {base, "".join(c for c in wanted.upper() if c.isalnum())}


def _writer_of(column: Sequence[Any]) -> Callable[[Any], str]:
    """Give what writes a column's numbers as text: all of them are of one kind.

    A binary float is written by its shortest decimal.
    """
    first = next((value for value in column if value is not None), None)
    return str if isinstance(first, str | Decimal) else repr


def _first_of(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _plain(column: Any) -> list[Any]:
    """Give Python values; moments as whole nanoseconds, short floats as their shortest decimals."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        try:
            column = column.cast(pa.timestamp("ns")).cast(pa.int64())
        except pa.ArrowInvalid:  # one of them is beyond 2262, and no time: the others are
            factor = _UNIT_NS[column.type.unit]
            moments = column.cast(pa.int64()).to_pylist()
            return [None if moment is None else moment * factor for moment in moments]
    elif pa.types.is_float32(column.type):
        column = column.cast(pa.string())  # as a double, 0.1 would be 0.10000000149011612
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):  # one of them has no like in Python: the others have
        values = [_one_plain(value) for value in column]
    return values


def _one_plain(value: Any) -> Any:
    """Give a Python value, or a text that is no number and no time and says what it is."""
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return f"unreadable {value.type}"
