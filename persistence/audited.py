"""What of a ledger is held against a journal, a page or a chunk at a time."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import msgspec

from messages.errors import LedgerUnavailable
from messages.ids import ClientOrderId, OrderKey, TradeId
from messages.orders import Fill
from persistence import statements as sql
from persistence.reader import LedgerReader

_PAGE = 5_000
_NEWEST_STEP = "SELECT max(updated_at_ns) FROM orders"
_NAMES = (
    "SELECT client_order_id, order_key FROM orders WHERE order_key > ? ORDER BY order_key LIMIT ?"
)
_PERSONS = "SELECT 1 FROM order_history WHERE order_key = ? AND evidence LIKE ? LIMIT 1"
_EXECUTED = (
    "SELECT f.order_key, o.client_order_id, f.trade_id, o.claimed_at_ns, o.updated_at_ns"
    " FROM fills f CROSS JOIN orders o ON o.order_key = f.order_key"
    " WHERE (f.order_key, f.trade_id) > (?, ?) ORDER BY f.order_key, f.trade_id LIMIT ?"
)


class Executed(msgspec.Struct, frozen=True, gc=False):
    """One execution, and from when to when the ledger heard of its order."""

    order_key: OrderKey
    client_order_id: ClientOrderId
    trade_id: TradeId
    claimed_at_ns: int | None
    """None in a ledger of before this was kept."""
    updated_at_ns: int
    """Executions that came alone, after the order's last step, are not in it."""


def newest_step_ns(ledger: LedgerReader) -> int:
    """Say when the last order took a step; 0 when none did."""
    ((newest,),) = ledger.rows(_NEWEST_STEP)
    return newest or 0


def keys_of(
    ledger: LedgerReader, names: Collection[ClientOrderId]
) -> dict[ClientOrderId, OrderKey]:
    """Find orders by client order id, which has no index: one walk over all of them."""
    found: dict[ClientOrderId, OrderKey] = {}
    after = ""
    while len(found) < len(names):
        rows = ledger.rows(_NAMES, (after, _PAGE))
        found |= {name: key for name, key in rows if name in names}
        if len(rows) < _PAGE:
            break
        after = rows[-1][1]
    return found


def fills_by_key(
    ledger: LedgerReader, keys: Sequence[OrderKey]
) -> dict[OrderKey, dict[TradeId, Fill]]:
    """Give the executions of some orders; one that means nothing is left out."""
    fills: dict[OrderKey, dict[TradeId, Fill]] = defaultdict(dict)
    for key in keys:
        for row in ledger.rows(sql.SELECT_FILLS, (key,)):
            try:
                (fill,) = sql.fills_in([row])
            except LedgerUnavailable:
                continue
            fills[key][fill.trade_id] = fill
    return fills


def has_step_by(ledger: LedgerReader, key: OrderKey, evidence: str) -> bool:
    """Whether an order took a step for which the evidence begins so."""
    return bool(ledger.rows(_PERSONS, (key, f"{evidence}%")))


def all_executed(ledger: LedgerReader) -> Iterator[Executed]:
    """Walk all executions that belong to an order, by order and trade id."""
    place: tuple[str, str] = ("", "")
    while True:
        rows = ledger.rows(_EXECUTED, (*place, _PAGE))
        yield from (Executed(*row) for row in rows)
        if len(rows) < _PAGE:
            return
        place = (rows[-1][0], rows[-1][2])
