"""The ledger's two verbs: one statement claims an order, one takes a step of it.

The history, the counts, the fill and the position are written by SQLite itself within that
statement, so that no program can move an order without them, and so that a lone claim or
step needs no transaction around it: a call into SQLite is a moment at which other threads
take over, and a claim that is waited for should have one, not a dozen.
"""

from typing import Any

from peewee import SqliteDatabase

CLAIMED = """
CREATE TRIGGER order_claimed AFTER INSERT ON orders BEGIN
  INSERT INTO order_events (order_key, at_ns, from_state, to_state, reason, evidence)
  VALUES (
    NEW.order_key, NEW.updated_at_ns, NULL,
    CASE NEW.state WHEN 'sent' THEN 'claimed' ELSE NEW.state END,
    CASE NEW.state_reason WHEN '' THEN NEW.reason ELSE NEW.state_reason END,
    'claim'
  );
  INSERT INTO order_events (order_key, at_ns, from_state, to_state, reason, evidence)
  SELECT NEW.order_key, NEW.updated_at_ns, 'claimed', 'sent', '', 'claim'
  WHERE NEW.state = 'sent';
  INSERT INTO state_counts (state, orders) VALUES (NEW.state, 1)
  ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
END
"""

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

STEPPED = """
CREATE TRIGGER order_stepped INSTEAD OF INSERT ON order_steps BEGIN
  UPDATE orders SET
    state = NEW.to_state, state_reason = NEW.state_reason,
    filled_quantity = NEW.filled_quantity, average_price = NEW.average_price,
    venue_order_id = NEW.venue_order_id, updated_at_ns = NEW.at_ns
  WHERE order_key = NEW.order_key AND state = NEW.from_state
    AND filled_quantity = NEW.from_filled;
  SELECT RAISE(ABORT, 'another process writes this ledger') WHERE changes() = 0;
  INSERT INTO order_events (order_key, at_ns, from_state, to_state, reason, evidence)
  SELECT NEW.order_key, NEW.at_ns, NEW.from_state, NEW.to_state, NEW.state_reason, NEW.evidence
  WHERE NEW.is_event;
  UPDATE state_counts SET orders = orders - 1
  WHERE state = NEW.from_state AND NEW.from_state <> NEW.to_state;
  INSERT INTO state_counts (state, orders) SELECT NEW.to_state, 1
  WHERE NEW.from_state <> NEW.to_state
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
"""


def up(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001
    """Teach the file both verbs."""
    for statement in (CLAIMED, STEPS, STEPPED):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]


def down(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001
    """Forget them; the tables stay as they are."""
    for statement in (
        "DROP TRIGGER order_stepped",
        "DROP VIEW order_steps",
        "DROP TRIGGER order_claimed",
    ):
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
