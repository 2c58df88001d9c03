"""Orders with their whole histories, a page at a time, for those who check a ledger."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from messages.errors import LedgerUnavailable
from messages.ids import OrderKey
from messages.order_states import OPEN_STATES
from messages.orders import Fill
from persistence import statements as sql
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader

PAGE = 1_000

T = TypeVar("T")
StepRow = tuple[int, str | None, str]
"""Number, from which state, to which."""

_RANGE = "order_key > ? AND order_key <= ?"
_STEPS = (
    "SELECT order_key, number, from_state, to_state FROM order_history"  # noqa: S608 - constant words
    f" WHERE {_RANGE} ORDER BY order_key, number"
)
_FILLS = (
    "SELECT order_key, trade_id, price, quantity, fee, fee_currency, liquidity, ts_event_ns"  # noqa: S608 - constant words
    f" FROM fills WHERE {_RANGE} ORDER BY order_key, ts_event_ns, trade_id"
)
_OPEN_WORDS = ", ".join(f"'{state.value}'" for state in sorted(OPEN_STATES))
_OPEN_KEYS = f"SELECT order_key FROM orders INDEXED BY orders_open WHERE state IN ({_OPEN_WORDS})"  # noqa: S608 - constant words
_AFTER_ALL = "\U0010ffff"


class Page(msgspec.Struct, frozen=True):
    """Orders whose keys follow each other, as of one moment."""

    entries: list[LedgerEntry]
    steps: dict[OrderKey, list[StepRow]]
    fills: dict[OrderKey, list[Fill]]
    unreadable: list[tuple[OrderKey, str]]
    """Orders and executions that somebody else wrote, and what of them means nothing."""
    orphans: list[OrderKey]
    """Keys with a history or executions and no order."""
    last: OrderKey
    is_last: bool


def read_page(ledger: LedgerReader, after: OrderKey) -> Page:
    """Give the orders that follow a key.

    Raises:
        LedgerUnavailable: the file cannot be read.
    """
    with ledger.one_moment():
        rows = ledger.rows(sql.SELECT_AFTER, (after, PAGE))
        is_last = len(rows) < PAGE
        last = OrderKey(_AFTER_ALL) if is_last else rows[-1][0]
        step_rows = ledger.rows(_STEPS, (after, last))
        fill_rows = ledger.rows(_FILLS, (after, last))
    unreadable: list[tuple[OrderKey, str]] = []
    keys = {row[0] for row in rows}
    steps: dict[OrderKey, list[StepRow]] = defaultdict(list)
    fills: dict[OrderKey, list[Fill]] = defaultdict(list)
    for key, *step in step_rows:
        steps[key].append(tuple(step))
    for key, *fill in fill_rows:
        fills[key] += _read(lambda row: sql.fills_in([row]), key, tuple(fill), unreadable) or []
    read = [_read(sql.entry_of, row[0], row, unreadable) for row in rows]
    return Page(
        entries=[entry for entry in read if entry is not None],
        steps=steps,
        fills=fills,
        unreadable=unreadable,
        orphans=sorted({*steps, *fills} - keys),
        last=last,
        is_last=is_last,
    )


def open_keys(ledger: LedgerReader) -> set[OrderKey]:
    """Give the open orders as their index has them."""
    return {row[0] for row in ledger.rows(_OPEN_KEYS)}


def _read(
    parse: Callable[[sql.Row], T],
    key: OrderKey,
    row: Sequence[object],
    unreadable: list[tuple[OrderKey, str]],
) -> T | None:
    try:
        return parse(tuple(row))
    except LedgerUnavailable as error:
        unreadable.append((key, str(error)))
        return None
