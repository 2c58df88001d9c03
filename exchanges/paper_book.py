"""The paper venue's own book: what the exchange would know, in one SQLite file.

WAL with ``synchronous=NORMAL``: a commit survives the death of the process, not a loss of
power. That is enough for a venue that is played; the ledger, which must not forget what was
sent to a real one, syncs every commit.
"""

import os
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from exchanges.paper_funds import MEMORY, Posting
from exchanges.paper_order import Change, Kind, Place, Progress
from exchanges.paper_reading import open_book
from exchanges.protocol import NewOrder
from messages.errors import DataError
from messages.ids import ClientOrderId, Symbol, TimestampNs, TradeId, VenueOrderId
from messages.orders import Fill
from messages.values import Liquidity, OrderState, OrderType, Side, TimeInForce

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
  id INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, symbol TEXT NOT NULL,
  side TEXT NOT NULL, order_type TEXT NOT NULL, time_in_force TEXT NOT NULL,
  quantity TEXT NOT NULL, limit_price TEXT, decided_at_ns INTEGER NOT NULL,
  arrival_ns INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
  filled TEXT NOT NULL, value TEXT NOT NULL, fill_count INTEGER NOT NULL,
  locked TEXT NOT NULL, started INTEGER NOT NULL,
  next_ts_ns INTEGER NOT NULL, next_ordinal INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS open_orders ON orders (id)
  WHERE state IN ('accepted', 'partially_filled');
CREATE TABLE IF NOT EXISTS fills (
  order_id INTEGER NOT NULL, trade_id TEXT NOT NULL, price TEXT NOT NULL,
  quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_currency TEXT NOT NULL,
  liquidity TEXT NOT NULL, ts_event_ns INTEGER NOT NULL, number INTEGER NOT NULL,
  PRIMARY KEY (order_id, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS postings (
  ts_ns INTEGER NOT NULL, ordinal INTEGER NOT NULL, symbol TEXT NOT NULL,
  arrival_ns INTEGER NOT NULL, order_id INTEGER NOT NULL, kind TEXT NOT NULL,
  currency TEXT NOT NULL, total TEXT NOT NULL, free TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS postings_by_time ON postings (currency, ts_ns);
CREATE TABLE IF NOT EXISTS turns (order_id INTEGER PRIMARY KEY, turn INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS balances (
  currency TEXT PRIMARY KEY, total TEXT NOT NULL, free TEXT NOT NULL) WITHOUT ROWID;
"""

_PUT_ORDER = """
INSERT INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (id) DO UPDATE SET state=excluded.state, reason=excluded.reason,
  filled=excluded.filled, value=excluded.value, fill_count=excluded.fill_count,
  locked=excluded.locked, started=excluded.started,
  next_ts_ns=excluded.next_ts_ns, next_ordinal=excluded.next_ordinal
"""
_PUT_FILL = "INSERT INTO fills VALUES (?,?,?,?,?,?,?,?,?)"
_PUT_POSTING = "INSERT INTO postings VALUES (?,?,?,?,?,?,?,?,?)"
_PUT_BALANCE = "INSERT OR REPLACE INTO balances VALUES (?,?,?)"
_PUT_TURN = "INSERT OR IGNORE INTO turns VALUES (?,?)"
_OPEN = """
SELECT orders.*, coalesce(turn, 0) FROM orders LEFT JOIN turns ON order_id = id
WHERE state IN ('accepted', 'partially_filled') ORDER BY id
"""
_RECENT = """
SELECT postings.*, coalesce(turn, 0) FROM postings LEFT JOIN turns USING (order_id)
WHERE currency = ? ORDER BY ts_ns DESC, postings.rowid DESC LIMIT ?
"""
_FILLS = "SELECT * FROM fills WHERE order_id = ? ORDER BY number"
_ORDERS_AFTER = "SELECT * FROM orders WHERE id > ? ORDER BY id LIMIT ?"
_DEPOSITS = "SELECT currency, total FROM postings WHERE kind = ?"
_PAGE = 500


class Effects(msgspec.Struct):
    """What one call did, waiting to be written at once; orders by row, newest state."""

    orders: dict[int, Progress] = {}
    fills: dict[int, list[Fill]] = {}
    postings: list[Posting] = []


class BookRow(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the venue knows it, for people and programs to read."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    order_type: OrderType
    quantity: Decimal
    limit_price: Decimal | None
    state: OrderState
    reason: str
    filled_quantity: Decimal
    average_price: Decimal | None
    decided_at_ns: TimestampNs
    venue_order_id: VenueOrderId
    fills: tuple[Fill, ...]


def venue_order_id(client_order_id: ClientOrderId) -> VenueOrderId:
    """Name the order as the venue does: always the same for the same order."""
    return VenueOrderId(f"P-{client_order_id}")


def average_price(progress: Progress) -> Decimal | None:
    """Give the mean price of its fills; None before the first."""
    return progress.value / progress.filled if progress.filled else None


class Book:
    """The file, for the one venue that writes it. Every `sqlite3.Error` goes to the caller."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with suppress(OSError):  # it is there, or cannot be made, which SQLite says too
            os.close(os.open(path, flags, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._db.close)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file; harmless twice."""
        self._db.close()

    def next_row(self) -> int:
        """Give the row that the next order gets."""
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()
        return int(last) + 1

    def find(self, client_order_id: ClientOrderId) -> Progress | None:
        """Give the order as it was last written."""
        found = self._db.execute(
            "SELECT * FROM orders WHERE client_order_id = ?", (client_order_id,)
        ).fetchone()
        return None if found is None else _progress(found)

    def open_orders(self) -> list[Progress]:
        """Give every order that later events can still move, by acceptance."""
        return [_progress(row, turn) for *row, turn in self._db.execute(_OPEN)]

    def fills(self, row: int) -> tuple[Fill, ...]:
        """Give all fills of one order, oldest first."""
        return tuple(_fill(found) for found in self._db.execute(_FILLS, (row,)))

    def balances(self) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """Give what is owned and what of it is free, by currency."""
        rows = self._db.execute("SELECT * FROM balances").fetchall()
        return {r[0]: Decimal(r[1]) for r in rows}, {r[0]: Decimal(r[2]) for r in rows}

    def recent_postings(self, currency: str) -> list[Posting]:
        """Give the newest changes of one currency, oldest first."""
        rows = self._db.execute(_RECENT, (currency, MEMORY)).fetchall()
        return [_posting(row) for row in reversed(rows)]

    def write(self, effects: Effects, totals: dict[str, Decimal], free: dict[str, Decimal]) -> None:
        """Make everything durable in one transaction, or nothing."""
        touched = {posting.change.currency for posting in effects.postings}
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._put(_PUT_ORDER, map(_order_row, effects.orders.values()))
            self._put(_PUT_TURN, _turn_rows(effects))
            self._put(_PUT_FILL, _fill_rows(effects))
            self._put(_PUT_POSTING, map(_posting_row, effects.postings))
            self._put(_PUT_BALANCE, ((c, str(totals[c]), str(free[c])) for c in sorted(touched)))
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _put(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        for row in rows:
            self._db.execute(statement, row)


def read_book(path: Path) -> Iterator[BookRow]:
    """Give every order of a book, by acceptance, without disturbing a venue that writes it.

    Read in pages: each is of one moment, the whole is not, and a reader that pauses keeps
    nothing from the writer.

    Raises:
        DataError: there is no such book or it cannot be read.
    """
    with _reading(path) as db:
        last = -1
        while page := _page_after(db, last):
            last = page[-1][0]
            yield from (row for _, row in page)


def read_deposits(path: Path) -> dict[str, Decimal]:
    """Give what the account of a book began with, by currency, as `read_book` gives its orders.

    Raises:
        DataError: there is no such book or it cannot be read.
    """
    with _reading(path) as db:
        rows = db.execute(_DEPOSITS, (Kind.DEPOSIT,)).fetchall()
    return {currency: Decimal(amount) for currency, amount in rows}


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise DataError(f"{path}: there is no paper book here; start a paper run first")
    db = None
    try:
        db = open_book(path)
        yield db
    except (sqlite3.Error, ArithmeticError, TypeError, ValueError) as error:  # or no values
        raise DataError(f"{path}: cannot be read as a paper book: {error}") from error
    finally:
        if db is not None:
            db.close()


def _page_after(db: sqlite3.Connection, last: int) -> list[tuple[int, BookRow]]:
    db.execute("BEGIN")
    try:
        rows = db.execute(_ORDERS_AFTER, (last, _PAGE)).fetchall()
        page = []
        for progress in map(_progress, rows):
            fills = tuple(map(_fill, db.execute(_FILLS, (progress.row,))))
            page.append((progress.row, _book_row(progress, fills)))
        return page
    finally:
        db.execute("COMMIT")


def _book_row(progress: Progress, fills: tuple[Fill, ...]) -> BookRow:
    order = progress.order
    return BookRow(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        quantity=order.quantity,
        limit_price=order.limit_price,
        state=progress.state,
        reason=progress.reason,
        filled_quantity=progress.filled,
        average_price=average_price(progress),
        decided_at_ns=order.decided_at_ns,
        venue_order_id=venue_order_id(order.client_order_id),
        fills=fills,
    )


def _order_row(progress: Progress) -> tuple[Any, ...]:
    """A market order has no limit: in its place stands what a stop acted at, if one did."""
    order = progress.order
    price = order.limit_price if order.touched_price is None else order.touched_price
    return (
        progress.row,
        order.client_order_id,
        order.symbol,
        str(order.side),
        str(order.order_type),
        str(order.time_in_force),
        str(order.quantity),
        None if price is None else str(price),
        order.decided_at_ns,
        progress.arrival_ns,
        str(progress.state),
        progress.reason,
        str(progress.filled),
        str(progress.value),
        progress.fill_count,
        str(progress.locked),
        progress.started,
        progress.cursor.ts_ns,
        progress.cursor.ordinal + 1,
    )


def _turn_rows(effects: Effects) -> Iterator[tuple[Any, ...]]:
    """Give those that are not the first's: an order without a row has the first turn."""
    return ((row, one.turn) for row, one in effects.orders.items() if one.turn)


def _progress(row: Sequence[Any], turn: int = 0) -> Progress:
    return Progress(
        row=row[0],
        turn=turn,
        order=_order(row[1:9]),
        arrival_ns=row[9],
        state=OrderState(row[10]),
        reason=row[11],
        filled=Decimal(row[12]),
        value=Decimal(row[13]),
        fill_count=row[14],
        locked=Decimal(row[15]),
        started=bool(row[16]),
        cursor=Place(row[17], row[18] - 1),
    )


def _order(row: Sequence[Any]) -> NewOrder:
    kind, price = OrderType(row[3]), None if row[6] is None else Decimal(row[6])
    is_limit = kind is OrderType.LIMIT
    return NewOrder(
        client_order_id=row[0],
        symbol=row[1],
        side=Side(row[2]),
        order_type=kind,
        time_in_force=TimeInForce(row[4]),
        quantity=Decimal(row[5]),
        limit_price=price if is_limit else None,
        decided_at_ns=row[7],
        touched_price=None if is_limit else price,
    )


def _fill_rows(effects: Effects) -> Iterator[tuple[Any, ...]]:
    for row, fills in effects.fills.items():
        first = effects.orders[row].fill_count - len(fills) + 1
        for number, fill in enumerate(fills, first):
            money = (str(fill.price), str(fill.quantity), str(fill.fee), fill.fee_currency)
            yield (row, fill.trade_id, *money, str(fill.liquidity), fill.ts_event_ns, number)


def _fill(row: tuple[Any, ...]) -> Fill:
    return Fill(
        trade_id=TradeId(row[1]),
        price=Decimal(row[2]),
        quantity=Decimal(row[3]),
        fee=Decimal(row[4]),
        fee_currency=row[5],
        liquidity=Liquidity(row[6]),
        ts_event_ns=row[7],
    )


def _posting_row(posting: Posting) -> tuple[Any, ...]:
    place, change = posting.place, posting.change
    where = (place.ts_ns, place.ordinal, posting.symbol, posting.arrival_ns, posting.row)
    return (*where, str(change.kind), change.currency, str(change.total), str(change.free))


def _posting(row: tuple[Any, ...]) -> Posting:
    change = Change(Kind(row[5]), row[6], Decimal(row[7]), Decimal(row[8]))
    return Posting(Place(row[0], row[1]), Symbol(row[2]), row[3], row[4], change, row[9])
