"""The ledger's tables. Times are integer nanoseconds UTC; money is exact text.

The models belong to no database: each query says which one it is for.
"""

from peewee import (
    BigIntegerField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from messages.order_states import OPEN_STATES
from messages.stops import StopState
from persistence.fields import DecimalText


class Order(Model):
    """One decision and what is known of it now. Rows lie in the order of their keys, so in time."""

    order_key = TextField(primary_key=True)
    fingerprint = TextField()
    client_order_id = TextField()
    account = TextField()
    strategy_id = TextField()
    symbol = TextField()
    side = TextField()
    order_type = TextField()
    time_in_force = TextField()
    quantity = DecimalText()
    limit_price = DecimalText(null=True)
    reference_price = DecimalText()
    decided_at_ns = BigIntegerField()
    reason = TextField()
    """Why it was decided; why it stands where it stands is `state_reason`."""
    state = TextField()
    state_reason = TextField()
    filled_quantity = DecimalText()
    average_price = DecimalText(null=True)
    venue_order_id = TextField(null=True)
    updated_at_ns = BigIntegerField()
    decided_quantity = DecimalText(null=True)
    """What was decided, where less had to be sent."""
    claimed_at_ns = BigIntegerField(null=True)
    """None where the claim is written among the events, as earlier versions did."""

    class Meta:
        """Keyed by the decision: no second copy of the key in an index."""

        table_name = "orders"
        without_rowid = True


# Holds the open orders only, so it stays small however many orders there have been.
Order.add_index(Order.order_key, where=Order.state.in_(sorted(OPEN_STATES)), name="orders_open")


class OrderEvent(Model):
    """One legal step of one order; `number` counts from 2, for the claim is the order itself.

    The view `order_history` gives both. In an order of an earlier version the claim is number 1
    here. From nothing straight to SENT is a claim that was sent in the same commit: two steps.
    """

    order = ForeignKeyField(Order, column_name="order_key", index=False)
    number = IntegerField()
    at_ns = BigIntegerField()
    from_state = TextField(null=True)
    """None on the claim itself."""
    to_state = TextField()
    reason = TextField()
    evidence = TextField()

    class Meta:
        """Written by SQLite itself, in the statement that moves the order."""

        table_name = "order_events"
        without_rowid = True
        primary_key = CompositeKey("order", "number")


class FillRow(Model):
    """One execution; a trade id counts once per order, however often it is reported.

    Two of our orders that trade with one another have one trade id, and an execution each.
    """

    symbol = TextField()
    trade_id = TextField()
    order = ForeignKeyField(Order, column_name="order_key", index=False)
    price = DecimalText()
    quantity = DecimalText()
    fee = DecimalText()
    fee_currency = TextField()
    liquidity = TextField()
    ts_event_ns = BigIntegerField()

    class Meta:
        """Found by its order."""

        table_name = "fills"
        without_rowid = True
        primary_key = CompositeKey("order", "trade_id")


class Position(Model):
    """The signed filled quantity of all orders, so that opening needs no walk over them.

    Written in the transaction of the orders it sums.
    """

    strategy_id = TextField()
    symbol = TextField()
    filled = DecimalText()

    class Meta:
        """One row per strategy and symbol."""

        table_name = "positions"
        without_rowid = True
        primary_key = CompositeKey("strategy_id", "symbol")


class StateCount(Model):
    """How many orders ended in each final state; written by what ends them."""

    state = TextField(primary_key=True)
    orders = IntegerField()

    class Meta:
        """One row per state that was ever taken."""

        table_name = "state_counts"
        without_rowid = True


class Flag(Model):
    """A durable switch: the row's absence means off."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        """A handful of rows, and up to two for each order that was ended or replaced."""

        table_name = "flags"
        without_rowid = True


class StopRow(Model):
    """One entry's stop, loss or profit, and how far it has come; see `messages.stops.Stop`."""

    entry_key = TextField(primary_key=True)
    account = TextField()
    strategy_id = TextField()
    symbol = TextField()
    side = TextField()
    stop_loss = DecimalText(null=True)
    take_profit = DecimalText(null=True)
    trails_by = DecimalText(null=True)
    reference_price = DecimalText()
    is_limit = IntegerField()
    placed_at_ns = BigIntegerField()
    state = TextField()
    best_price = DecimalText()
    looked_at_ns = BigIntegerField()
    released = DecimalText()
    exits = TextField()
    """The keys of its exits, with a space between."""
    failed = IntegerField()
    cause = TextField()
    acted_at_ns = BigIntegerField()
    acted_price = DecimalText(null=True)
    is_inside = IntegerField()
    why = TextField()

    class Meta:
        """Written in the transaction of the orders that it is about."""

        table_name = "stops"
        without_rowid = True


StopRow.add_index(
    StopRow.entry_key,
    where=StopRow.state.in_(sorted(set(StopState) - {StopState.DONE})),
    name="stops_kept",
)

TABLES: list[type[Model]] = [Order, OrderEvent, FillRow, Position, StateCount, Flag, StopRow]
