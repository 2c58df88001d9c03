"""The constant SQL of the ledger, and how entries become rows and come back.

It is in SQLite's words, `?` for a value. What PostgreSQL says otherwise is in
`persistence.postgres.words`, and nothing here is in words that it could not put into its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import msgspec

from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_MS, OrderKey
from messages.learning import learn
from messages.order_states import OPEN_STATES
from messages.orders import Fill
from messages.values import OrderState, OrderType, Side, TimeInForce
from persistence.entries import LedgerEntry
from persistence.transitions import Taken

learn(Fill)

Row = tuple[Any, ...]

_NO_FILL: Row = (None,) * 7

LOOKUP_CHUNK = 500
"""Keys in one SELECT; SQLite allows 999 parameters at the least."""

_COLUMNS = ", ".join(LedgerEntry.__struct_fields__)
_MARKS = ", ".join("?" * len(LedgerEntry.__struct_fields__))
_OPEN = ", ".join(f"'{state.value}'" for state in sorted(OPEN_STATES))

INSERT_ORDER = f"INSERT INTO orders ({_COLUMNS}, claimed_at_ns) VALUES ({_MARKS}, ?)"  # noqa: S608 - constant words
TAKE_STEP = (
    "INSERT INTO order_steps (order_key, from_state, from_filled, to_state, state_reason,"
    " filled_quantity, average_price, venue_order_id, at_ns, is_event, evidence, strategy_id,"
    " symbol, position, trade_id, price, quantity, fee, fee_currency, liquidity, ts_event_ns)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
"""One step of one order, with its event, its first fill and the position; see 0002_verbs."""
INSERT_FILL = (
    "INSERT INTO fills (trade_id, price, quantity, fee, fee_currency, liquidity, ts_event_ns,"
    " symbol, order_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (order_key, trade_id) DO NOTHING"
)
SET_FLAG = (
    "INSERT INTO flags (key, value) VALUES (?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
DELETE_FLAG = "DELETE FROM flags WHERE key = ?"
SELECT_FLAG = "SELECT value FROM flags WHERE key = ?"
SELECT_ENDED = "SELECT state, orders FROM state_counts"
SELECT_POSITIONS = "SELECT strategy_id, symbol, filled FROM positions"
SELECT_FITTED = (
    "SELECT strategy_id, symbol, reason FROM orders"  # noqa: S608 - constant words
    f" WHERE decided_quantity IS NOT NULL AND (state = 'filled' OR state IN ({_OPEN}))"
)
"""Exits that were made smaller than they were decided, and why: a look at all orders."""
SELECT_ACCOUNTS = (
    "SELECT account FROM (SELECT account FROM orders ORDER BY order_key LIMIT 1) AS first"
    " UNION"
    " SELECT account FROM (SELECT account FROM orders ORDER BY order_key DESC LIMIT 1) AS last"
)
"""Of the first and the last decision: a look at all orders would take long."""
SELECT_OPEN = (
    f"SELECT {_COLUMNS} FROM orders INDEXED BY orders_open"  # noqa: S608 - constant words
    f" WHERE state IN ({_OPEN}) ORDER BY order_key"
)
SELECT_OPEN_KEYS = f"SELECT order_key FROM orders INDEXED BY orders_open WHERE state IN ({_OPEN})"  # noqa: S608 - constant words
SELECT_NEWEST = "SELECT order_key FROM orders ORDER BY order_key DESC LIMIT 1"
SELECT_AFTER = f"SELECT {_COLUMNS} FROM orders WHERE order_key > ? ORDER BY order_key LIMIT ?"  # noqa: S608 - constant words
SELECT_BEFORE = f"SELECT {_COLUMNS} FROM orders WHERE order_key < ? ORDER BY order_key DESC LIMIT ?"  # noqa: S608 - constant words
SELECT_NAMED = (
    f"SELECT {_COLUMNS} FROM orders WHERE {{column}} >= ? AND {{column}} < ?"  # noqa: S608 - constant words
    " ORDER BY {column} <> ?, order_key LIMIT ?"
)
"""By a name's beginning, the whole name first; only the key has an index."""
SELECT_OPEN_STATES = (
    "SELECT state, count(*) FROM orders INDEXED BY orders_open"  # noqa: S608 - constant words
    f" WHERE state IN ({_OPEN}) GROUP BY state"
)
SELECT_LACKING = (
    f"SELECT {_COLUMNS} FROM (SELECT * FROM orders ORDER BY order_key DESC LIMIT ?) AS newest"  # noqa: S608 - constant words
    f" WHERE state NOT IN ({_OPEN}) AND CAST(filled_quantity AS DOUBLE PRECISION) >"
    " 1.000000001 * coalesce((SELECT sum(CAST(quantity AS DOUBLE PRECISION)) FROM fills"
    " WHERE fills.order_key = newest.order_key), 0) ORDER BY order_key"
)
"""Floats only choose whom to ask; money is added up exactly by whoever asks."""
SELECT_DECIDED = (
    "SELECT decided_at_ns FROM orders WHERE order_key >= ? AND symbol = ?"
    " AND decided_at_ns >= ? AND state <> 'refused'"
)
SELECT_EVENTS = (
    "SELECT order_key, at_ns, from_state, to_state, reason, evidence FROM order_history"
    " WHERE order_key = ? ORDER BY number"
)
SELECT_FILLS = (
    "SELECT trade_id, price, quantity, fee, fee_currency, liquidity, ts_event_ns FROM fills"
    " WHERE order_key = ? ORDER BY ts_event_ns, trade_id"
)
SELECT_FILLS_BETWEEN = (
    "SELECT order_key, trade_id, price, quantity, fee, fee_currency, liquidity, ts_event_ns"
    " FROM fills WHERE order_key >= ? AND order_key <= ? ORDER BY order_key, ts_event_ns, trade_id"
)


@cache
def select_keys(count: int) -> str:
    """Give the SELECT of that many keys."""
    marks = ", ".join("?" * count)
    return f"SELECT {_COLUMNS} FROM orders WHERE order_key IN ({marks})"  # noqa: S608 - constant words


@cache
def select_called(count: int) -> str:
    """Give the SELECT of that many client order ids, which have no index."""
    marks = ", ".join("?" * count)
    return f"SELECT {_COLUMNS} FROM orders WHERE client_order_id IN ({marks})"  # noqa: S608 - constant words


def key_floor(ts_ns: int) -> str:
    """Give the text that every key of that moment, or a later one, is not below."""
    return f"{max(ts_ns, 0) // NS_PER_MS:012x}"


def order_row(entry: LedgerEntry) -> Row:
    """Turn a new entry into the parameters of `INSERT_ORDER`: what it is, and since when."""
    return (
        entry.order_key,
        entry.fingerprint,
        entry.client_order_id,
        entry.account,
        entry.strategy_id,
        entry.symbol,
        entry.side._value_,  # what `.value` looks up, at a tenth of its cost
        entry.order_type._value_,
        entry.time_in_force._value_,
        str(entry.quantity),
        _text(entry.limit_price),
        str(entry.reference_price),
        entry.decided_at_ns,
        entry.reason,
        entry.state._value_,
        entry.state_reason,
        str(entry.filled_quantity),
        _text(entry.average_price),
        entry.venue_order_id,
        entry.updated_at_ns,
        _text(entry.decided_quantity),
        entry.updated_at_ns,
    )


def entry_of(row: Row) -> LedgerEntry:
    """Read what `order_row` wrote.

    Raises:
        LedgerUnavailable: somebody else wrote it: a word or a number that means nothing.
    """
    fields = dict(zip(LedgerEntry.__struct_fields__, row, strict=True))
    try:
        fields |= {
            "side": Side(fields["side"]),
            "order_type": OrderType(fields["order_type"]),
            "time_in_force": TimeInForce(fields["time_in_force"]),
            "quantity": Decimal(fields["quantity"]),
            "limit_price": _money(fields["limit_price"]),
            "reference_price": Decimal(fields["reference_price"]),
            "state": OrderState(fields["state"]),
            "filled_quantity": Decimal(fields["filled_quantity"]),
            "average_price": _money(fields["average_price"]),
            "decided_quantity": _money(fields["decided_quantity"]),
        }
    except (ValueError, TypeError, InvalidOperation) as error:
        said = "no number" if isinstance(error, InvalidOperation) else str(error)
        raise LedgerUnavailable(f"order {row[0]} of the ledger cannot be read: {said}") from error
    return LedgerEntry(**fields)


def step_row(taken: Taken, position: Decimal | None) -> Row:
    """Give the parameters of `TAKE_STEP`: it finds the order only as it was before."""
    before, after, event = taken.before, taken.after, taken.event
    return (
        after.order_key,
        before.state._value_,
        str(before.filled_quantity),
        after.state._value_,
        after.state_reason,
        str(after.filled_quantity),
        _text(after.average_price),
        after.venue_order_id,
        after.updated_at_ns,
        event is not None,
        event.evidence if event else "",
        after.strategy_id,
        after.symbol,
        _text(position),
        *(_fill(taken.fills[0]) if taken.fills else _NO_FILL),
    )


def more_fill_rows(taken: Taken) -> list[Row]:
    """Give the parameters of `INSERT_FILL` for the fills that the step itself does not hold."""
    return [(*_fill(fill), taken.after.symbol, taken.after.order_key) for fill in taken.fills[1:]]


def _fill(fill: Fill) -> Row:
    return (
        fill.trade_id,
        str(fill.price),
        str(fill.quantity),
        str(fill.fee),
        fill.fee_currency,
        fill.liquidity._value_,
        fill.ts_event_ns,
    )


def fills_in(rows: Iterable[Row]) -> list[Fill]:
    """Read what `SELECT_FILLS` gives.

    Raises:
        LedgerUnavailable: somebody else wrote it: a word or a number that means nothing.
    """
    named = [dict(zip(Fill.__struct_fields__, row, strict=True)) for row in rows]
    try:
        return msgspec.convert(named, list[Fill])
    except msgspec.ValidationError as error:
        raise LedgerUnavailable(f"an execution in the ledger cannot be read: {error}") from error


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut keys into what one SELECT may ask for."""
    for start in range(0, len(keys), LOOKUP_CHUNK):
        yield keys[start : start + LOOKUP_CHUNK]


def by_key(entries: Iterable[LedgerEntry]) -> dict[OrderKey, LedgerEntry]:
    """Index entries."""
    return {entry.order_key: entry for entry in entries}


def _text(money: Decimal | None) -> str | None:
    return None if money is None else str(money)


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
