# ruff: noqa: D106 - what a Meta says is peewee's
"""The ledger as first released: a frozen copy, deliberately independent of the models."""

from typing import Any

from peewee import (
    AutoField,
    BigIntegerField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)

_OPEN = ["accepted", "claimed", "not_sent", "partially_filled", "sent", "unknown"]


class Order(Model):
    """One decision."""

    order_key = TextField(primary_key=True)
    fingerprint = TextField()
    client_order_id = TextField()
    account = TextField()
    strategy_id = TextField()
    symbol = TextField()
    side = TextField()
    order_type = TextField()
    time_in_force = TextField()
    quantity = TextField()
    limit_price = TextField(null=True)
    reference_price = TextField()
    decided_at_ns = BigIntegerField()
    reason = TextField()
    state = TextField()
    state_reason = TextField()
    filled_quantity = TextField()
    average_price = TextField(null=True)
    venue_order_id = TextField(null=True)
    updated_at_ns = BigIntegerField()

    class Meta:
        table_name = "orders"
        without_rowid = True


Order.add_index(Order.order_key, where=Order.state.in_(_OPEN), name="orders_open")


class OrderEvent(Model):
    """One step of an order."""

    id = AutoField()
    order = ForeignKeyField(Order, column_name="order_key")
    at_ns = BigIntegerField()
    from_state = TextField(null=True)
    to_state = TextField()
    reason = TextField()
    evidence = TextField()

    class Meta:
        table_name = "order_events"


class FillRow(Model):
    """One execution."""

    symbol = TextField()
    trade_id = TextField()
    order = ForeignKeyField(Order, column_name="order_key")
    price = TextField()
    quantity = TextField()
    fee = TextField()
    fee_currency = TextField()
    liquidity = TextField()
    ts_event_ns = BigIntegerField()

    class Meta:
        table_name = "fills"
        without_rowid = True
        primary_key = CompositeKey("symbol", "trade_id")


class Position(Model):
    """The signed filled quantity of all orders."""

    strategy_id = TextField()
    symbol = TextField()
    filled = TextField()

    class Meta:
        table_name = "positions"
        without_rowid = True
        primary_key = CompositeKey("strategy_id", "symbol")


class StateCount(Model):
    """How many orders stand in each state."""

    state = TextField(primary_key=True)
    orders = IntegerField()

    class Meta:
        table_name = "state_counts"
        without_rowid = True


class Flag(Model):
    """A durable switch."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "flags"
        without_rowid = True


_TABLES = [Order, OrderEvent, FillRow, Position, StateCount, Flag]


def up(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Create every table."""
    with db.bind_ctx(_TABLES):
        db.create_tables(_TABLES, safe=False)


def down(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Drop every table, with all orders in them."""
    with db.bind_ctx(_TABLES):
        db.drop_tables(_TABLES)
