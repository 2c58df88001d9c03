"""The stops that the executor keeps: a row for each entry that was claimed with one.

Written in the transaction of the orders that it is about. Those that are not done are found by
an index that holds them alone.
"""

from typing import Any

from peewee import SqliteDatabase

_TABLE = """
CREATE TABLE "stops" ("entry_key" TEXT NOT NULL PRIMARY KEY, "account" TEXT NOT NULL,
  "strategy_id" TEXT NOT NULL, "symbol" TEXT NOT NULL, "side" TEXT NOT NULL, "stop_loss" TEXT,
  "take_profit" TEXT, "trails_by" TEXT, "reference_price" TEXT NOT NULL, "is_limit" INTEGER NOT
  NULL, "placed_at_ns" INTEGER NOT NULL, "state" TEXT NOT NULL, "best_price" TEXT NOT NULL,
  "looked_at_ns" INTEGER NOT NULL, "released" TEXT NOT NULL, "exits" TEXT NOT NULL, "failed"
  INTEGER NOT NULL, "cause" TEXT NOT NULL, "acted_at_ns" INTEGER NOT NULL, "acted_price" TEXT,
  "is_inside" INTEGER NOT NULL, "why" TEXT NOT NULL) WITHOUT ROWID
"""
_INDEX = """
CREATE INDEX "stops_kept" ON "stops" ("entry_key") WHERE ("state" IN ('acted', 'armed'))
"""


def up(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Make the table."""
    _run(db, _TABLE, _INDEX)


def down(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Forget the stops: what they protect is protected by nobody then."""
    _run(db, "DROP TABLE stops")


def _run(db: SqliteDatabase, *statements: str) -> None:
    for statement in statements:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types
