"""The orders that follow an exit which could not take all of what it was to leave."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from decisions.metrics import money
from decisions.order_keys import rest_key
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader

_MOST_GAPS = 3
"""An executor that dies before one is durable gives the next one another number."""


def followers(entry: LedgerEntry, ledger: LedgerReader) -> list[dict[str, Any]]:
    """Give them in their order; none of an order that took all, or was refused."""
    if entry.decided_quantity is None:
        return []
    return [
        {
            "order_key": one.order_key,
            "state": str(one.state),
            "quantity": money(one.quantity),
            "filled_quantity": money(one.filled_quantity),
        }
        for one in _found(entry, ledger)
    ]


def _found(entry: LedgerEntry, ledger: LedgerReader) -> Iterator[LedgerEntry]:
    gaps = 0
    for ordinal in count(1):
        key = rest_key(entry.order_key, ordinal)
        one = ledger.lookup([key]).get(key)
        if one is not None:
            yield one
        gaps = 0 if one is not None else gaps + 1
        if gaps == _MOST_GAPS:
            return


def line_of_follower(follower: dict[str, Any]) -> str:
    """Say it in one line."""
    filled, quantity = follower["filled_quantity"], follower["quantity"]
    return f"{follower['order_key']}: {filled} of {quantity} filled, {follower['state']}"
