"""Orders with their steps and executions, and all executions, for those who draw a ledger.

Every page is one short moment of its own, so that the writer's log is never held for long; the
whole is not one moment.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from messages.errors import LedgerUnavailable
from messages.ids import OrderKey
from messages.orders import Fill
from persistence import statements as sql
from persistence.entries import LedgerEntry
from persistence.reader import (
    FILL_FROM,
    SELECT_EXECUTIONS,
    Execution,
    LedgerReader,
    executions_in,
)
from persistence.reading import events_in
from persistence.transitions import Event

T = TypeVar("T", Event, Fill)

_PAGE = 500
_FILLS_PAGE = 5_000
_AFTER_ALL = "\U0010ffff"
_RANGE = "order_key >= ? AND order_key <= ?"
_EVENTS = (
    "SELECT order_key, at_ns, from_state, to_state, reason, evidence FROM order_history"  # noqa: S608 - constant words
    f" WHERE {_RANGE} ORDER BY order_key, number"
)
_FILLS = (
    "SELECT order_key, trade_id, price, quantity, fee, fee_currency, liquidity, ts_event_ns"  # noqa: S608 - constant words
    f" FROM fills WHERE {_RANGE} ORDER BY order_key, ts_event_ns, trade_id"
)
_EXECUTIONS = SELECT_EXECUTIONS + (
    " WHERE (f.order_key, f.trade_id) > (?, ?) ORDER BY f.order_key, f.trade_id LIMIT ?"
)


class Life(msgspec.Struct, frozen=True):
    """One order, every step of it, its executions."""

    entry: LedgerEntry
    events: list[Event]
    fills: list[Fill]


def newest_lives(ledger: LedgerReader, limit: int) -> Iterator[Life]:
    """Walk the orders that were decided last, newest first.

    Raises:
        LedgerUnavailable: the file cannot be read.
    """
    before, left = _AFTER_ALL, limit
    while left > 0:
        size = min(left, _PAGE)
        with ledger.one_moment():
            rows = ledger.rows(sql.SELECT_BEFORE, (before, size))
            if not rows:
                return
            keys = (rows[-1][0], rows[0][0])
            event_rows, fill_rows = ledger.rows(_EVENTS, keys), ledger.rows(_FILLS, keys)
        yield from _lives(rows, event_rows, fill_rows)
        if len(rows) < size:
            return
        before, left = rows[-1][0], left - size


def all_executions(ledger: LedgerReader) -> Iterator[Execution]:
    """Walk all executions, by order and trade id.

    One that is written behind the walk is not seen; a number that means nothing is passed over.

    Raises:
        LedgerUnavailable: the file cannot be read.
    """
    place: tuple[str, str] = ("", "")
    while True:
        rows = ledger.rows(_EXECUTIONS, (*place, _FILLS_PAGE))
        for row in rows:
            try:
                yield from executions_in([row])
            except (LedgerUnavailable, ValueError):
                continue
        if len(rows) < _FILLS_PAGE:
            return
        place = (rows[-1][0], rows[-1][FILL_FROM])


def _lives(
    rows: Sequence[sql.Row], event_rows: Sequence[sql.Row], fill_rows: Sequence[sql.Row]
) -> Iterator[Life]:
    events: dict[OrderKey, list[sql.Row]] = defaultdict(list)
    fills: dict[OrderKey, list[sql.Row]] = defaultdict(list)
    for row in event_rows:
        events[row[0]].append(row)
    for key, *fill in fill_rows:
        fills[key].append(tuple(fill))
    for row in rows:
        try:
            life = Life(sql.entry_of(row), events_in(events[row[0]]), sql.fills_in(fills[row[0]]))
        except LedgerUnavailable:
            continue
        yield life
