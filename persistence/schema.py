"""The schema that the scripts of `migrations` lead to, for a new file: at once, not step by step.

A test holds it against the scripts. They remain what counts: those that are not named here are
run after it.
"""

NAMES = (
    "0001_initial",
    "0002_verbs",
    "0003_decided_quantity",
    "0004_claims_once",
    "0005_fill_of_an_order",
    "0006_stops",
)
"""The scripts that are in it."""

_MOMENT = "strftime('%Y-%m-%d %H:%M:%f', ? / 1e9, 'unixepoch')"
RECORD = f"INSERT INTO schema_migration (applied, name) VALUES ({_MOMENT}, ?)"  # noqa: S608 - constant
RECORDED = f"UPDATE schema_migration SET applied = {_MOMENT} WHERE name = ?"  # noqa: S608 - constant
"""With a moment in nanoseconds: what a script's runner has noted is by its own clock."""

STATEMENTS = (
    """
CREATE TABLE "schema_migration" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(255) NOT
  NULL, "applied" DATETIME NOT NULL)
""",
    """
CREATE UNIQUE INDEX "schema_migration_name" ON "schema_migration" ("name")
""",
    """
CREATE TABLE "orders" ("order_key" TEXT NOT NULL PRIMARY KEY, "fingerprint" TEXT NOT NULL,
  "client_order_id" TEXT NOT NULL, "account" TEXT NOT NULL, "strategy_id" TEXT NOT NULL,
  "symbol" TEXT NOT NULL, "side" TEXT NOT NULL, "order_type" TEXT NOT NULL, "time_in_force" TEXT
  NOT NULL, "quantity" TEXT NOT NULL, "limit_price" TEXT, "reference_price" TEXT NOT NULL,
  "decided_at_ns" INTEGER NOT NULL, "reason" TEXT NOT NULL, "state" TEXT NOT NULL,
  "state_reason" TEXT NOT NULL, "filled_quantity" TEXT NOT NULL, "average_price" TEXT,
  "venue_order_id" TEXT, "updated_at_ns" INTEGER NOT NULL, "decided_quantity" TEXT,
  "claimed_at_ns" INTEGER) WITHOUT ROWID
""",
    """
CREATE INDEX "orders_open" ON "orders" ("order_key") WHERE ("state" IN ('accepted', 'claimed',
  'not_sent', 'partially_filled', 'sent', 'unknown'))
""",
    """
CREATE TABLE "fills" ("symbol" TEXT NOT NULL, "trade_id" TEXT NOT NULL, "order_key" TEXT NOT
  NULL, "price" TEXT NOT NULL, "quantity" TEXT NOT NULL, "fee" TEXT NOT NULL, "fee_currency"
  TEXT NOT NULL, "liquidity" TEXT NOT NULL, "ts_event_ns" INTEGER NOT NULL, PRIMARY KEY
  ("order_key", "trade_id"), FOREIGN KEY ("order_key") REFERENCES "orders" ("order_key")) WITHOUT
  ROWID
""",
    """
CREATE TABLE "flags" ("key" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL) WITHOUT ROWID
""",
    """
CREATE TABLE "positions" ("strategy_id" TEXT NOT NULL, "symbol" TEXT NOT NULL, "filled" TEXT NOT
  NULL, PRIMARY KEY ("strategy_id", "symbol")) WITHOUT ROWID
""",
    """
CREATE TABLE "state_counts" ("state" TEXT NOT NULL PRIMARY KEY, "orders" INTEGER NOT NULL)
  WITHOUT ROWID
""",
    """
CREATE TABLE "order_events" ("order_key" TEXT NOT NULL, "number" INTEGER NOT NULL, "at_ns"
  INTEGER NOT NULL, "from_state" TEXT, "to_state" TEXT NOT NULL, "reason" TEXT NOT NULL,
  "evidence" TEXT NOT NULL, PRIMARY KEY ("order_key", "number"), FOREIGN KEY ("order_key")
  REFERENCES "orders" ("order_key")) WITHOUT ROWID
""",
    """
CREATE TRIGGER order_claimed AFTER INSERT ON orders WHEN NEW.state NOT IN ('accepted',
  'claimed', 'not_sent', 'partially_filled', 'sent', 'unknown') BEGIN
  INSERT INTO state_counts (state, orders) VALUES (NEW.state, 1)
  ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
END
""",
    """
CREATE VIEW order_steps AS SELECT
  order_key, state AS from_state, filled_quantity AS from_filled,
  state AS to_state, state_reason, filled_quantity, average_price, venue_order_id,
  updated_at_ns AS at_ns, 0 AS is_event, '' AS evidence,
  strategy_id, symbol, NULL AS position,
  NULL AS trade_id, NULL AS price, NULL AS quantity, NULL AS fee, NULL AS fee_currency,
  NULL AS liquidity, NULL AS ts_event_ns
FROM orders
""",
    """
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
    (SELECT coalesce(max(number), 1) + 1 FROM order_events WHERE order_key = NEW.order_key),
    NEW.at_ns, NEW.from_state, NEW.to_state, NEW.state_reason, NEW.evidence
  WHERE NEW.is_event;
  INSERT INTO state_counts (state, orders) SELECT NEW.to_state, 1
  WHERE NEW.from_state <> NEW.to_state AND NEW.to_state NOT IN ('accepted', 'claimed',
    'not_sent', 'partially_filled', 'sent', 'unknown')
  ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
  INSERT INTO fills (symbol, trade_id, order_key, price, quantity, fee, fee_currency,
    liquidity, ts_event_ns)
  SELECT NEW.symbol, NEW.trade_id, NEW.order_key, NEW.price, NEW.quantity, NEW.fee,
    NEW.fee_currency, NEW.liquidity, NEW.ts_event_ns
  WHERE NEW.trade_id IS NOT NULL
  ON CONFLICT (order_key, trade_id) DO NOTHING;
  INSERT INTO positions (strategy_id, symbol, filled)
  SELECT NEW.strategy_id, NEW.symbol, NEW.position WHERE NEW.position IS NOT NULL
  ON CONFLICT (strategy_id, symbol) DO UPDATE SET filled = excluded.filled;
END
""",
    """
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
""",
    """
CREATE TABLE "stops" ("entry_key" TEXT NOT NULL PRIMARY KEY, "account" TEXT NOT NULL,
  "strategy_id" TEXT NOT NULL, "symbol" TEXT NOT NULL, "side" TEXT NOT NULL, "stop_loss" TEXT,
  "take_profit" TEXT, "trails_by" TEXT, "reference_price" TEXT NOT NULL, "is_limit" INTEGER NOT
  NULL, "placed_at_ns" INTEGER NOT NULL, "state" TEXT NOT NULL, "best_price" TEXT NOT NULL,
  "looked_at_ns" INTEGER NOT NULL, "released" TEXT NOT NULL, "exits" TEXT NOT NULL, "failed"
  INTEGER NOT NULL, "cause" TEXT NOT NULL, "acted_at_ns" INTEGER NOT NULL, "acted_price" TEXT,
  "is_inside" INTEGER NOT NULL, "why" TEXT NOT NULL) WITHOUT ROWID
""",
    """
CREATE INDEX "stops_kept" ON "stops" ("entry_key") WHERE ("state" IN ('acted', 'armed'))
""",
)
