# ruff: noqa: D106 - what a Meta says is peewee's
"""The ledger's two verbs: one statement claims an order, one takes a step of it.

The history, the counts, the fill and the position are written by SQLite itself within that
statement, so that no program can move an order without them, and so that a lone claim or
step needs no transaction around it: a call into SQLite is a moment at which other threads
take over, and a claim that is waited for should have one, not a dozen.

The history is keyed by the order, without a second index. A claim that is sent in the same
commit is one event, from nothing to sent. Counts are kept of final states only: the open
orders are few and counted when they are read.
"""

from typing import Any

from peewee import (
    BigIntegerField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)

_OPEN = "('accepted', 'claimed', 'not_sent', 'partially_filled', 'sent', 'unknown')"


class Order(Model):
    """As the first version has it; only named here."""

    order_key = TextField(primary_key=True)

    class Meta:
        table_name = "orders"
        without_rowid = True


class OrderEvent(Model):
    """One step of an order."""

    order = ForeignKeyField(Order, column_name="order_key", index=False)
    number = IntegerField()
    at_ns = BigIntegerField()
    from_state = TextField(null=True)
    to_state = TextField()
    reason = TextField()
    evidence = TextField()

    class Meta:
        table_name = "order_events"
        without_rowid = True
        primary_key = CompositeKey("order", "number")


CLAIMED = f"""
CREATE TRIGGER order_claimed AFTER INSERT ON orders BEGIN
  INSERT INTO order_events (order_key, number, at_ns, from_state, to_state, reason, evidence)
  VALUES (
    NEW.order_key, 1, NEW.updated_at_ns, NULL, NEW.state,
    CASE NEW.state_reason WHEN '' THEN NEW.reason ELSE NEW.state_reason END,
    'claim'
  );
  INSERT INTO state_counts (state, orders)
  SELECT NEW.state, 1 WHERE NEW.state NOT IN {_OPEN}
  ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
END
"""  # noqa: S608 - constant words

STEPS = """
CREATE VIEW order_steps AS SELECT
  order_key, state AS from_state, filled_quantity AS from_filled,
  state AS to_state, state_reason, filled_quantity, average_price, venue_order_id,
  updated_at_ns AS at_ns, 0 AS is_event, '' AS evidence,
  strategy_id, symbol, NULL AS position,
  NULL AS trade_id, NULL AS price, NULL AS quantity, NULL AS fee, NULL AS fee_currency,
  NULL AS liquidity, NULL AS ts_event_ns
FROM orders
"""

STEPPED = f"""
CREATE TRIGGER order_stepped INSTEAD OF INSERT ON order_steps BEGIN
  UPDATE orders SET
    state = NEW.to_state, state_reason = NEW.state_reason,
    filled_quantity = NEW.filled_quantity, average_price = NEW.average_price,
    venue_order_id = NEW.venue_order_id, updated_at_ns = NEW.at_ns
  WHERE order_key = NEW.order_key AND state = NEW.from_state
    AND filled_quantity = NEW.from_filled;
  SELECT RAISE(ABORT, 'another process writes this ledger') WHERE changes() = 0;
  INSERT INTO order_events (order_key, number, at_ns, from_state, to_state, reason, evidence)
  SELECT NEW.order_key,
    (SELECT coalesce(max(number), 0) + 1 FROM order_events WHERE order_key = NEW.order_key),
    NEW.at_ns, NEW.from_state, NEW.to_state, NEW.state_reason, NEW.evidence
  WHERE NEW.is_event;
  INSERT INTO state_counts (state, orders) SELECT NEW.to_state, 1
  WHERE NEW.from_state <> NEW.to_state AND NEW.to_state NOT IN {_OPEN}
  ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
  INSERT INTO fills (symbol, trade_id, order_key, price, quantity, fee, fee_currency,
    liquidity, ts_event_ns)
  SELECT NEW.symbol, NEW.trade_id, NEW.order_key, NEW.price, NEW.quantity, NEW.fee,
    NEW.fee_currency, NEW.liquidity, NEW.ts_event_ns
  WHERE NEW.trade_id IS NOT NULL
  ON CONFLICT (symbol, trade_id) DO NOTHING;
  INSERT INTO positions (strategy_id, symbol, filled)
  SELECT NEW.strategy_id, NEW.symbol, NEW.position WHERE NEW.position IS NOT NULL
  ON CONFLICT (strategy_id, symbol) DO UPDATE SET filled = excluded.filled;
END
"""  # noqa: S608 - constant words

_HISTORY = """
INSERT INTO order_events (order_key, number, at_ns, from_state, to_state, reason, evidence)
SELECT order_key, row_number() OVER (PARTITION BY order_key ORDER BY id),
  at_ns, from_state, to_state, reason, evidence FROM older_events
"""
_OLD_EVENTS = """
CREATE TABLE older_events (id INTEGER NOT NULL PRIMARY KEY, "order_key" TEXT NOT NULL,
  "at_ns" INTEGER NOT NULL, "from_state" TEXT, "to_state" TEXT NOT NULL, "reason" TEXT NOT NULL,
  "evidence" TEXT NOT NULL)
"""
_OLD_HISTORY = """
INSERT INTO older_events (order_key, at_ns, from_state, to_state, reason, evidence)
SELECT order_key, at_ns, from_state, to_state, reason, evidence FROM order_events
ORDER BY at_ns, order_key, number
"""


def up(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Teach the file both verbs."""
    _run(db, "ALTER TABLE order_events RENAME TO older_events")
    with db.bind_ctx([Order, OrderEvent]):
        db.create_tables([OrderEvent], safe=False)
    _run(db, _HISTORY, "DROP TABLE older_events", CLAIMED, STEPS, STEPPED)
    _run(db, f"DELETE FROM state_counts WHERE state IN {_OPEN}")  # noqa: S608 - constant words


def down(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Forget them; the history goes back to where it was, the counts are taken anew."""
    _run(
        db,
        "DROP TRIGGER order_stepped",
        "DROP VIEW order_steps",
        "DROP TRIGGER order_claimed",
        _OLD_EVENTS,
        _OLD_HISTORY,
        "DROP TABLE order_events",
        "ALTER TABLE older_events RENAME TO order_events",
        "CREATE INDEX orderevent_order_key ON order_events (order_key)",
        "DELETE FROM state_counts",
        "INSERT INTO state_counts SELECT state, count(*) FROM orders GROUP BY state",
    )


def _run(db: SqliteDatabase, *statements: str) -> None:
    for statement in statements:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types
