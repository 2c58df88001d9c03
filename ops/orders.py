"""The `orders` command: what the ledger, or the paper venue, knows of every order."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from messages.errors import LedgerUnavailable
from ops.run_files import LEDGER, PAPER_BOOK

KEYS = (
    "order_key", "client_order_id", "strategy_id", "symbol", "side", "order_type", "quantity",
    "limit_price", "state", "filled_quantity", "average_price", "decided_at_ns", "venue_order_id",
)  # fmt: skip
_NUMBERS = ("decided_at_ns",)
_SHOWN = (
    "order_key", "strategy_id", "symbol", "side", "order_type", "quantity", "limit_price", "state",
    "filled_quantity", "average_price",
)  # fmt: skip

Row = dict[str, Any]


def orders(run_dir: Path, *, as_json: bool, venue: bool) -> int:
    """Print every order, oldest first, and give the exit code.

    Raises:
        LedgerUnavailable, DataError: there is nothing to read in this run directory.
    """
    rows = _of_venue(run_dir) if venue else _of_ledger(run_dir)
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps(row) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _table(list(rows)))
    return 0


def _of_ledger(run_dir: Path) -> Iterator[Row]:
    from persistence.ledger import read_orders

    return (_row(entry) for entry in read_orders(run_dir / LEDGER))


def _of_venue(run_dir: Path) -> Iterator[Row]:
    """The venue knows neither decisions nor strategies: those are the ledger's, if there."""
    from exchanges.paper_book import read_book

    book = read_book(run_dir / PAPER_BOOK)
    first = next(book, None)  # raises here, before anything is printed
    known = _names(run_dir)
    for entry in () if first is None else chain([first], book):
        row = _row(entry)
        row["order_key"], row["strategy_id"] = known.get(row["client_order_id"], (None, None))
        yield row


def _names(run_dir: Path) -> dict[str, tuple[str, str]]:
    try:
        rows = _of_ledger(run_dir)
        return {r["client_order_id"]: (r["order_key"], r["strategy_id"]) for r in rows}
    except LedgerUnavailable:
        return {}


def _row(entry: object) -> Row:
    row: Row = {}
    for key in KEYS:
        value = getattr(entry, key, None)
        row[key] = value if value is None or key in _NUMBERS else str(value)
    return row


def _table(rows: Iterable[Row]) -> Iterator[str]:
    table = [[key.upper() for key in _SHOWN]]
    table += [["-" if row[key] is None else row[key] for key in _SHOWN] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()
