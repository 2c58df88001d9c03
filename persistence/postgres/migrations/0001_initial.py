"""The ledger as PostgreSQL first had it: with all that SQLite's had come to by then.

The schema of `persistence.postgres.schema` is this script's. One that changes it copies the old
words in here first.
"""

from typing import Any

from peewee import PostgresqlDatabase

from persistence.postgres.schema import STATEMENTS


def up(migrator: Any, db: PostgresqlDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Create everything."""
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types


def down(migrator: Any, db: PostgresqlDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Drop everything, with all orders in it."""
    for statement in (
        "DROP VIEW order_history",
        "DROP VIEW order_steps",
        "DROP TABLE fills, order_events, orders, positions, state_counts, flags, lease",
        "DROP FUNCTION fence, order_claimed, order_stepped, count_ended",
    ):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types
