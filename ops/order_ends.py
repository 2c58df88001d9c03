"""What was wished of an order, by its strategy or a person, and which order takes whose place."""

from typing import Any

import msgspec

from decisions.order_wishes import (
    CANCELS,
    UNWANTED,
    Wish,
    first_of,
    own_reason,
    second_of,
    wishes_in,
)
from decisions.unfinished_exits import LEAVING, waiting_in
from messages.ids import OrderKey
from messages.orders import OrderIntent
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader


def end_of(entry: LedgerEntry, ledger: LedgerReader) -> dict[str, Any] | None:
    """Say who wanted an order ended, and what takes its place; None where nobody did."""
    why = ledger.note(UNWANTED + entry.order_key)
    if not why:
        return None
    wishes = _wishes(ledger)
    second = second_of(why)
    return {
        "why": why,
        "is_under_way": any(
            wish.order_key == entry.order_key and not wish.is_over for wish in wishes
        ),
        "replaced_by": None if second is None else _in_short(second, ledger),
    }


def first_in_short(entry: LedgerEntry, ledger: LedgerReader) -> dict[str, Any] | None:
    """Give the order whose place this one takes; None where it takes none."""
    first = first_of(entry.reason)
    if first is None or first not in ledger.lookup([first]):
        return None
    return _in_short(first, ledger)


def waiting(name: str, ledger: LedgerReader) -> Wish | None:
    """Give the decision whose key begins so, and that waits for another order to end."""
    for wish in _wishes(ledger):
        second = wish.replacement
        if name and second is not None and second.order_key.startswith(name):
            return wish
    return None


def waiting_exit(name: str, ledger: LedgerReader) -> OrderIntent | None:
    """Give the exit whose key begins so, and that waits for its entry to fill."""
    waiting = waiting_in(ledger.note(LEAVING))
    return next((one for one in waiting if name and one.order_key.startswith(name)), None)


def waits(wish: Wish, second: OrderIntent) -> dict[str, Any]:
    """Give what is known of a decision that waits, as JSON has it."""
    limit = second.limit_price
    return {
        "order_key": second.order_key,
        "strategy_id": second.strategy_id,
        "symbol": second.symbol,
        "side": str(second.side),
        "quantity": f"{second.quantity:f}",
        "limit_price": None if limit is None else str(limit),
        "account": second.account,
        "decided_at_ns": second.decided_at_ns,
        "reason": own_reason(second.reason),
        "waits_for": wish.order_key,
        "dropped": wish.dropped,
        "tries": wish.tries,
    }


def _wishes(ledger: LedgerReader) -> list[Wish]:
    """Read what is to end; none where that cannot be read, which `health` tells of."""
    try:
        return wishes_in(ledger.note(CANCELS))
    except msgspec.MsgspecError:
        return []


def _in_short(key: OrderKey, ledger: LedgerReader) -> dict[str, Any]:
    """Give how far an order is; one that is in no row waits, and nothing is known of it."""
    entry = ledger.lookup([key]).get(key)
    return {
        "order_key": key,
        "state": None if entry is None else str(entry.state),
        "state_reason": "" if entry is None else entry.state_reason,
        "quantity": None if entry is None else f"{entry.quantity:f}",
        "filled_quantity": None if entry is None else f"{entry.filled_quantity:f}",
    }
