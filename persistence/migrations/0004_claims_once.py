"""A claim is written once: the first step of an order's history is read from the order itself.

It was a second row beside the order with nothing in it that the order does not hold, save the
moment, which the order is given a column for. `order_history` is the history as it was: the
claim, then the steps that were written. An order of before has no moment there, and its claim
among its steps. Whatever moves an order still writes that step in the statement that moves it.
"""

from typing import Any

from peewee import SqliteDatabase

_OPEN = "('accepted', 'claimed', 'not_sent', 'partially_filled', 'sent', 'unknown')"

HISTORY = """
CREATE VIEW order_history AS
SELECT order_key, number, at_ns, from_state, to_state, reason, evidence FROM order_events
UNION ALL
SELECT order_key, 1, claimed_at_ns, NULL,
  coalesce(
    (SELECT e.from_state FROM order_events e WHERE e.order_key = orders.order_key
      ORDER BY e.number LIMIT 1),
    state
  ),
  CASE WHEN state = 'refused' AND state_reason <> '' AND NOT EXISTS (
    SELECT 1 FROM order_events e WHERE e.order_key = orders.order_key
  ) THEN state_reason ELSE reason END,
  'claim'
FROM orders WHERE claimed_at_ns IS NOT NULL
"""

CLAIMED = f"""
CREATE TRIGGER order_claimed AFTER INSERT ON orders WHEN NEW.state NOT IN {_OPEN} BEGIN
  INSERT INTO state_counts (state, orders) VALUES (NEW.state, 1)
  ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
END
"""  # noqa: S608 - constant words

OLD_CLAIMED = f"""
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

_OLD_NUMBER = "coalesce(max(number), 0) + 1"
_NUMBER = "coalesce(max(number), 1) + 1"
"""The first step that is written is the second one: the claim, written or not, is number 1."""


def up(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Add the moment; no row is rewritten for it."""
    _run(
        db,
        'ALTER TABLE orders ADD COLUMN "claimed_at_ns" INTEGER',
        "DROP TRIGGER order_claimed",
        CLAIMED,
        HISTORY,
    )
    _renumber(db, _OLD_NUMBER, _NUMBER)


def down(migrator: Any, db: SqliteDatabase) -> None:  # noqa: ARG001 - the signature that peewee calls
    """Write the claims among the steps again."""
    _run(
        db,
        "INSERT INTO order_events (order_key, number, at_ns, from_state, to_state, reason,"
        " evidence) SELECT order_key, number, at_ns, from_state, to_state, reason, evidence"
        " FROM order_history WHERE number = 1 AND order_key IN"
        " (SELECT order_key FROM orders WHERE claimed_at_ns IS NOT NULL)",
        "DROP VIEW order_history",
        "DROP TRIGGER order_claimed",
        OLD_CLAIMED,
    )
    _renumber(db, _NUMBER, _OLD_NUMBER)
    _run(db, "ALTER TABLE orders DROP COLUMN claimed_at_ns")


def _renumber(db: SqliteDatabase, was: str, becomes: str) -> None:
    """Write the trigger of a step anew, with nothing changed but how it counts."""
    query = "SELECT sql FROM sqlite_master WHERE name = 'order_stepped'"
    ((text,),) = db.execute_sql(query).fetchall()  # type: ignore[no-untyped-call]  # peewee has no types
    if was not in text:
        raise ValueError("order_stepped does not count the steps as 0002 taught it")
    _run(db, "DROP TRIGGER order_stepped", text.replace(was, becomes))


def _run(db: SqliteDatabase, *statements: str) -> None:
    for statement in statements:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]  # peewee has no types
