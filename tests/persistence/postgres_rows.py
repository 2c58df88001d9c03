"""What stands in a ledger in PostgreSQL, table by table."""

from typing import Any

from persistence.ledger_place import LedgerPlace
from persistence.reader import LedgerReader


def content(place: LedgerPlace) -> list[Any]:
    with LedgerReader(place) as reader:
        tables = ("orders", "order_events", "fills", "positions", "state_counts", "flags", "stops")
        return [sorted(reader.rows(f"SELECT * FROM {name}")) for name in tables]
