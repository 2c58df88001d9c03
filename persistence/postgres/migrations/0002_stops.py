"""The stops that the executor keeps; see `0006_stops` of the file's scripts."""

from typing import Any

from peewee import PostgresqlDatabase

from persistence.postgres.schema import STOPS


def up(migrator: Any, db: PostgresqlDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Make the table."""
    for statement in STOPS:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types


def down(migrator: Any, db: PostgresqlDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Forget the stops: what they protect is protected by nobody then."""
    db.execute_sql("DROP TABLE stops")  # type: ignore[no-untyped-call]  # peewee has no types
