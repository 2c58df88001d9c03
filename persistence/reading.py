"""Ledgers read from outside their run, or cold: never writes, never holds the writer up."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from messages.errors import LedgerUnavailable
from messages.ids import OrderKey
from messages.orders import Fill
from messages.values import OrderState
from persistence.entries import LedgerEntry
from persistence.ledger_place import LedgerPlace
from persistence.read_connection import open_reading
from persistence.statements import (
    SELECT_AFTER,
    SELECT_EVENTS,
    SELECT_FILLS,
    Row,
    entry_of,
    fills_in,
    key_floor,
)
from persistence.transitions import Event

_PAGE = 1_000


def read_orders(where: Path | LedgerPlace, since_ns: int = 0) -> Iterator[LedgerEntry]:
    """Give the orders decided at or after a moment, oldest first.

    Read in pages, so that a long walk does not keep the writer's WAL from being reused:
    each page is consistent, the whole walk is not one moment.

    Raises:
        LedgerUnavailable: there is no ledger of this version there; raised by the call.
    """
    open_reading(where).close()
    return _walk(where, since_ns)


def read_events(where: Path | LedgerPlace, key: OrderKey) -> list[Event]:
    """Give every step of one order, first one first; none if there is no such order.

    A claim that was sent in the same commit is stored as one event and given as two.

    Raises:
        LedgerUnavailable: there is no ledger of this version there.
    """
    return events_in(_all(where, SELECT_EVENTS, key))


def read_fills(where: Path | LedgerPlace, key: OrderKey) -> list[Fill]:
    """Give the executions of one order in the order of their times.

    Raises:
        LedgerUnavailable: there is no ledger of this version there.
    """
    return fills_in(_all(where, SELECT_FILLS, key))


def events_in(rows: Sequence[Row]) -> list[Event]:
    """Read what `SELECT_EVENTS` gives.

    Raises:
        LedgerUnavailable: somebody else wrote it: a word that means nothing.
    """
    named = [dict(zip(Event.__struct_fields__, row, strict=True)) for row in rows]
    try:
        stored = msgspec.convert(named, list[Event])
    except msgspec.ValidationError as error:
        raise LedgerUnavailable(f"an event in the ledger cannot be read: {error}") from error
    return [event for one in stored for event in _steps_in(one)]


def _steps_in(event: Event) -> tuple[Event, ...]:
    if event.from_state is not None or event.to_state is not OrderState.SENT:
        return (event,)
    claimed = msgspec.structs.replace(event, to_state=OrderState.CLAIMED)
    sent = msgspec.structs.replace(event, from_state=OrderState.CLAIMED, reason="")
    return (claimed, sent)


def _walk(where: Path | LedgerPlace, since_ns: int) -> Iterator[LedgerEntry]:
    after = key_floor(since_ns)
    with closing(open_reading(where)) as connection:
        while True:
            page = [entry_of(row) for row in connection.rows(SELECT_AFTER, (after, _PAGE))]
            # A key may share the moment's millisecond and still be earlier within it.
            yield from (entry for entry in page if entry.decided_at_ns >= since_ns)
            if len(page) < _PAGE:
                return
            after = page[-1].order_key


def _all(where: Path | LedgerPlace, sql: str, key: OrderKey) -> list[Row]:
    with closing(open_reading(where)) as connection:
        return connection.rows(sql, (key,))
