"""One order by any of its names, and `orders show`: all that the ledger holds of it."""

import json
import sys
from pathlib import Path
from typing import Any

from messages.errors import NotFound
from ops.health_text import one_line
from ops.moments import utc
from ops.order_ends import end_of, first_in_short, waiting, waiting_exit
from ops.orders import KEYS, ROUNDING, row_of, text_of
from ops.run_files import LEDGER
from ops.tables import spoken
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader

MORE_KEYS = (
    "account", "time_in_force", "reference_price", "reason", "state_reason", "fingerprint",
    "updated_at_ns",
)  # fmt: skip
_TIMES = ("decided_at_ns", "updated_at_ns")
_SHOWN_AT_MOST = 5


def show(run_dir: Path, name: str, *, as_json: bool) -> int:
    """Print one order and give the exit code.

    Raises:
        NotFound: no order, or several, bear this name.
        LedgerUnavailable: there is no ledger to read.
    """
    with LedgerReader(run_dir / LEDGER) as ledger:
        entry = find_order(ledger, name)
        with ledger.one_moment():
            row = whole_row(entry) | _ends(entry, ledger)
    if as_json:
        sys.stdout.write(json.dumps(row) + "\n")
        return 0
    width = max(map(len, row))
    (shown,) = spoken([row], ROUNDING)
    for key, value in shown.items():
        text = "-" if value is None else one_line(value)
        more = f"  ({utc(value)} UTC)" if key in _TIMES else ""
        sys.stdout.write(f"{key.ljust(width)}  {text}{more}\n")
    return 0


def whole_row(entry: LedgerEntry) -> dict[str, Any]:
    """Give an order as `orders` does, and the rest of what the ledger holds after it."""
    row = row_of(entry)
    for key in MORE_KEYS:
        value = getattr(entry, key)
        row[key] = value if key in _TIMES else text_of(value)
    return row


def _ends(entry: LedgerEntry, ledger: LedgerReader) -> dict[str, Any]:
    """Give what was wished of it, and the orders whose place it takes and that take its own."""
    end, first = end_of(entry, ledger), first_in_short(entry, ledger)
    second = None if end is None else end["replaced_by"]
    return {
        "replaces": None if first is None else first["order_key"],
        "replaced_by": None if second is None else second["order_key"],
        "end_wished": None if end is None else end["why"],
    }


def find_order(ledger: LedgerReader, name: str) -> LedgerEntry:
    """Give the one order with a name: its key, its id here or at the venue, or a beginning of one.

    Raises:
        NotFound: none or several; the sentence names them.
    """
    found = ledger.named(name) if name else []
    if not found and (wish := waiting(name, ledger)):
        raise NotFound(
            f"{one_line(name)!r} is no order yet: the decision waits for {wish.order_key} to end,"
            " whose place it takes"
        )
    if not found and (leaves := waiting_exit(name, ledger)):
        raise NotFound(
            f"{one_line(name)!r} is no order yet: the exit of {leaves.leaves.normalize():f}"
            f" {leaves.symbol} waits until something of its entry has filled"
        )
    if not found:
        raise NotFound(
            f"no order is called {one_line(name)!r}: list them with `watchkeeper orders`"
        )
    if len(found) > 1:
        raise NotFound(
            f"{one_line(name)!r} is the beginning of several orders, among them"
            f" {', '.join(e.order_key for e in found[:_SHOWN_AT_MOST])}: give more of it"
        )
    return found[0]


assert set(KEYS).isdisjoint(MORE_KEYS)
