"""What was decided, beside what was sent: fees can leave less to sell than was bought."""

from typing import Any

from peewee import SqliteDatabase


def up(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Add the column; no row is rewritten for it."""
    _run(db, 'ALTER TABLE orders ADD COLUMN "decided_quantity" TEXT')


def down(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Drop it, and with it what was decided where less was sent."""
    _run(db, "ALTER TABLE orders DROP COLUMN decided_quantity")


def _run(db: SqliteDatabase, statement: str) -> None:
    db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types
