"""Rows of a Parquet file, batch by batch; pyarrow is imported only here, and only when used."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from exchanges.row_filter import Row, Tally
from messages.errors import DataError
from messages.ids import Symbol

_BATCH = 8192
_CANDLE_NAMES = ("ts", "open", "high", "low", "close", "volume")
_PRICE = "price"


class ParquetTable:
    """One file, opened to look at its columns; each reading opens it again.

    Raises:
        DataError: pyarrow is missing, or the file is not Parquet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._file()) as file:
            self._names = list(file.schema_arrow.names)

    @property
    def has_trades(self) -> bool:
        """Whether it holds trades; else it is taken for candles."""
        return _PRICE in self._names

    def candle_rows(self, tally: Tally) -> Iterator[Row]:
        """Give open time, open, high, low, close, volume, each as text.

        Raises:
            DataError: a column is missing, or the first batch cannot be read.
        """
        number = 0
        for columns in self.candle_columns(tally):
            for fields in as_texts(columns):
                number += 1
                yield number, fields

    def candle_columns(self, tally: Tally) -> Iterator[list[list[Any]]]:
        """Give the same in columns, batch by batch, each value as the file holds it.

        Raises:
            DataError: a column is missing, or the first batch cannot be read.
        """
        missing = [name for name in _CANDLE_NAMES if name not in self._names]
        if missing:
            raise DataError(f"{self._path}: there is no column {', '.join(missing)}")
        return self._batches(_CANDLE_NAMES, tally)

    @property
    def row_count(self) -> int:
        """How many rows the file says it has."""
        with closing(self._file()) as file:
            return int(file.metadata.num_rows)

    def trade_rows(self, symbol: Symbol, tally: Tally) -> Iterator[Row]:
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

    def _batches(self, names: Sequence[str], tally: Tally) -> Iterator[list[list[Any]]]:
        number = 0
        with closing(self._file()) as file:
            batches = file.iter_batches(batch_size=_BATCH, columns=list(names))
            while True:
                try:
                    batch = next(batches, None)
                except (OSError, ValueError) as error:
                    tally.malformed(number + 1, f"the rest cannot be read: {error}")
                    return
                if batch is None:
                    return
                number += batch.num_rows
                yield [_plain(batch.column(name)) for name in names]

    def _file(self) -> Any:
        if not self._path.is_file():
            raise DataError(f"{self._path}: there is no such file")
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise DataError(
                f"{self._path}: reading Parquet needs pyarrow: install watchkeeper[parquet]"
            ) from error
        try:
            return parquet.ParquetFile(self._path)
        except (OSError, ValueError) as error:
            raise DataError(f"{self._path}: is not a readable Parquet file") from error


def as_texts(columns: Sequence[Sequence[Any]]) -> Iterator[tuple[str, ...]]:
    """Give the rows of candle columns as text: a float in its shortest form."""
    times, *numbers = columns
    return zip(map(str, times), *(map(repr, column) for column in numbers), strict=True)


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
        quantity = repr(raw[self._place[str(self._quantity)]])
        return str(raw[0]), repr(raw[1]), quantity, self._aggressor(raw), self._text(raw, self._id)

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


def _first_of(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _plain(column: Any) -> list[Any]:
    """Give Python values; moments as whole nanoseconds."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns")).cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values
