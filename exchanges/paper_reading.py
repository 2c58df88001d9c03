"""A paper book read from outside, for those who hold it against a ledger. Never writes."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Self

import msgspec

from messages.errors import DataError
from messages.ids import ClientOrderId
from messages.values import OrderState, Side

_PAGE = 500
_WALK = "SELECT id, client_order_id, decided_at_ns FROM orders WHERE id > ? ORDER BY id LIMIT ?"
_FIND = "SELECT client_order_id, state, filled, symbol, side, quantity, value FROM orders WHERE "
_DOUBLED = (
    "SELECT client_order_id, count(*) FROM orders GROUP BY client_order_id HAVING count(*) > 1"
)
_BARRED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def _finds_nulls_that_are_not_there() -> bool:
    """Whether this SQLite is one (3.40.1 is) that misreads tables such as the book's fills.

    Without a rowid, and with a key that is not in front, sound rows are told to hold NULL.
    """
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(
            "CREATE TABLE t (a NOT NULL, b NOT NULL, n, PRIMARY KEY (n)) WITHOUT ROWID"
        )
        database.execute("INSERT INTO t VALUES (1, 2, 3)")
        return database.execute("PRAGMA quick_check").fetchall() != [("ok",)]


def open_book(path: Path) -> sqlite3.Connection:
    """Open a book that is there, also one in a folder that its reader may not write.

    Raises:
        DataError: it may not be read by who asks, or cannot be opened.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        database = _connected(uri)
        if not _is_barred(database):
            return database
        database.close()
        # SQLite reads through two files beside it, and may make none here. Without a log of its
        # own nobody has the book open, so it is read as a file that does not change.
        log = path.with_name(f"{path.name}-wal")
        if not log.exists() or not log.stat().st_size:
            database = _connected(f"{uri}&immutable=1")
            if not _is_barred(database):
                return database
            database.close()
    except (sqlite3.Error, OSError) as error:
        raise DataError(f"{path}: cannot be read as a paper book: {error}") from error
    raise DataError(f"{path}: you may not read this paper book: ask as the user that it belongs to")


def _connected(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None)


def _is_barred(database: sqlite3.Connection) -> bool:
    """Whether SQLite lacks a permission; what else is wrong with a file, reading it tells."""
    try:
        database.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        return error.sqlite_errorcode & 0xFF in _BARRED
    return False


class BookedOrder(msgspec.Struct, frozen=True):
    """An order as the book has it."""

    state: OrderState
    filled_quantity: Decimal
    symbol: str
    side: Side
    quantity: Decimal
    value: Decimal
    """Of what is filled, quote currency."""


class BookReader:
    """One read-only connection; every statement is a moment of its own.

    Raises:
        DataError: from any method: there is no book that can be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise DataError(f"{path}: there is no paper book here")
        self._database = open_book(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def walk(self) -> Iterator[list[tuple[ClientOrderId, int]]]:
        """Give pages of all orders, each with the moment of its decision."""
        last = -1
        while rows := self._rows(_WALK, (last, _PAGE)):
            last = rows[-1][0]
            yield [(ClientOrderId(name), decided_at_ns) for _, name, decided_at_ns in rows]

    def find(self, names: Sequence[ClientOrderId]) -> dict[ClientOrderId, BookedOrder]:
        """Give the orders that are there; of doubled ones, the last."""
        found = {}
        for start in range(0, len(names), _PAGE):
            some = names[start : start + _PAGE]
            marks = ", ".join("?" * len(some))
            for row in self._rows(f"{_FIND} client_order_id IN ({marks})", tuple(some)):
                found[ClientOrderId(row[0])] = self._booked(row)
        return found

    def doubled(self) -> Iterator[tuple[ClientOrderId, int]]:
        """Give the ids that more than one order bears, and how many do."""
        return ((ClientOrderId(name), count) for name, count in self._rows(_DOUBLED))

    def file_problems(self) -> list[str]:
        """Let SQLite check the file's pages and rows; empty when it finds nothing."""
        checks = ["quick_check(5)"]
        if _finds_nulls_that_are_not_there():
            checks = [f"quick_check({table})" for table in ("orders", "postings", "balances")]
        found = [str(row[0]) for check in checks for row in self._rows(f"PRAGMA {check}")]
        return [text for text in found if text != "ok"][:5]

    def _booked(self, row: tuple[Any, ...]) -> BookedOrder:
        try:
            return BookedOrder(
                OrderState(row[1]),
                Decimal(row[2]),
                row[3],
                Side(row[4]),
                Decimal(row[5]),
                Decimal(row[6]),
            )
        except (ValueError, TypeError, InvalidOperation) as error:
            raise DataError(f"{self._path}: order {row[0]} cannot be read: {error}") from error

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise DataError(f"{self._path}: cannot be read as a paper book: {error}") from error
