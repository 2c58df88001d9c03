"""An execution is known by its order and its trade id, no more by its symbol and trade id.

Where two of our own orders meet, the venue gives both executions one trade id. Keyed by symbol
the second was taken for a repetition of the first, and its order never had what it had filled.
The key begins with the order now, so the index of it is not needed any more.
"""

from typing import Any

from peewee import SqliteDatabase

from messages.errors import LedgerUnavailable

_COLUMNS = "symbol, trade_id, order_key, price, quantity, fee, fee_currency, liquidity, ts_event_ns"
_TABLE = """
CREATE TABLE "fills" ("symbol" TEXT NOT NULL, "trade_id" TEXT NOT NULL, "order_key" TEXT NOT NULL,
  "price" TEXT NOT NULL, "quantity" TEXT NOT NULL, "fee" TEXT NOT NULL, "fee_currency" TEXT NOT
  NULL, "liquidity" TEXT NOT NULL, "ts_event_ns" INTEGER NOT NULL, PRIMARY KEY ("{first}",
  "trade_id"), FOREIGN KEY ("order_key") REFERENCES "orders" ("order_key")) WITHOUT ROWID
"""
_TWICE = (
    "SELECT (SELECT count(*) FROM fills)"
    " - (SELECT count(*) FROM (SELECT DISTINCT symbol, trade_id FROM fills))"
)
_INDEX = 'CREATE INDEX "fillrow_order_key" ON "fills" ("order_key")'
_BY_SYMBOL, _BY_ORDER = "CONFLICT (symbol, trade_id)", "CONFLICT (order_key, trade_id)"


def up(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Move every execution into a table with the new key: none can be lost of it."""
    _rebuild(db, "order_key", _BY_SYMBOL, _BY_ORDER)


def down(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Go back to the old key; refused where it cannot hold all that was executed."""
    ((lost,),) = db.execute_sql(_TWICE).fetchall()  # type: ignore[no-untyped-call]  # peewee has no types
    if lost:
        raise LedgerUnavailable(
            f"{db.database} cannot go back to the schema before 0005: {lost} executions have the"
            " trade id of another order's, and would be lost"
        )
    _rebuild(db, "symbol", _BY_ORDER, _BY_SYMBOL)
    _run(db, _INDEX)


def _rebuild(db: SqliteDatabase, first: str, was: str, becomes: str) -> None:
    query = "SELECT sql FROM sqlite_master WHERE name = 'order_stepped'"
    ((trigger,),) = db.execute_sql(query).fetchall()  # type: ignore[no-untyped-call]  # peewee has no types
    if was not in trigger:
        raise LedgerUnavailable(
            f"{db.database} was changed by hand: its order_stepped keeps executions otherwise"
        )
    _run(
        db,
        "DROP TRIGGER order_stepped",
        "DROP INDEX IF EXISTS fillrow_order_key",
        "ALTER TABLE fills RENAME TO fills_before",
        _TABLE.format(first=first),
        f"INSERT INTO fills ({_COLUMNS}) SELECT {_COLUMNS} FROM fills_before",  # noqa: S608 - constant words
        "DROP TABLE fills_before",
        trigger.replace(was, becomes),
    )


def _run(db: SqliteDatabase, *statements: str) -> None:
    for statement in statements:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types
