"""The ledger's schema in PostgreSQL: the tables of `persistence.tables`, and its two verbs.

A test holds it against the models. What SQLite does in triggers is done in triggers here too, by
the same rules, so that the constant SQL of the ledger is one. Text is compared byte by byte, as
SQLite compares it (`COLLATE "C"`): the order of keys is the order of time on any server.

`lease` is one row: who may write. `token` is that of the account's holder, and rises with each;
`writer` rises with each connection that the holder opens to write. A session says its own number
in the setting ``watchkeeper.writer``, and every statement that writes compares the two within its
own transaction, holding the row so that nobody can take over between the look and the commit. A
renewal does not touch what is held; taking over, and opening another connection, wait for every
writing transaction to end, whoever began it.
"""

_OPEN = "('accepted', 'claimed', 'not_sent', 'partially_filled', 'sent', 'unknown')"
_TEXT = 'text COLLATE "C"'

FENCED = "WK001"
UNNAMED = "WK002"
MOVED = "WK003"
"""What the triggers raise, as SQLSTATE."""

STATEMENTS = (
    f"""
CREATE TABLE orders (
  order_key {_TEXT} NOT NULL PRIMARY KEY, fingerprint {_TEXT} NOT NULL,
  client_order_id {_TEXT} NOT NULL, account {_TEXT} NOT NULL, strategy_id {_TEXT} NOT NULL,
  symbol {_TEXT} NOT NULL, side {_TEXT} NOT NULL, order_type {_TEXT} NOT NULL,
  time_in_force {_TEXT} NOT NULL, quantity {_TEXT} NOT NULL, limit_price {_TEXT},
  reference_price {_TEXT} NOT NULL, decided_at_ns bigint NOT NULL, reason {_TEXT} NOT NULL,
  state {_TEXT} NOT NULL, state_reason {_TEXT} NOT NULL, filled_quantity {_TEXT} NOT NULL,
  average_price {_TEXT}, venue_order_id {_TEXT}, updated_at_ns bigint NOT NULL,
  decided_quantity {_TEXT}, claimed_at_ns bigint)
""",
    f"CREATE INDEX orders_open ON orders (order_key) WHERE state IN {_OPEN}",
    f"""
CREATE TABLE order_events (
  order_key {_TEXT} NOT NULL REFERENCES orders (order_key), number integer NOT NULL,
  at_ns bigint NOT NULL, from_state {_TEXT}, to_state {_TEXT} NOT NULL, reason {_TEXT} NOT NULL,
  evidence {_TEXT} NOT NULL, PRIMARY KEY (order_key, number))
""",
    f"""
CREATE TABLE fills (
  symbol {_TEXT} NOT NULL, trade_id {_TEXT} NOT NULL,
  order_key {_TEXT} NOT NULL REFERENCES orders (order_key), price {_TEXT} NOT NULL,
  quantity {_TEXT} NOT NULL, fee {_TEXT} NOT NULL, fee_currency {_TEXT} NOT NULL,
  liquidity {_TEXT} NOT NULL, ts_event_ns bigint NOT NULL, PRIMARY KEY (order_key, trade_id))
""",
    f"""
CREATE TABLE positions (
  strategy_id {_TEXT} NOT NULL, symbol {_TEXT} NOT NULL, filled {_TEXT} NOT NULL,
  PRIMARY KEY (strategy_id, symbol))
""",
    f"CREATE TABLE state_counts (state {_TEXT} NOT NULL PRIMARY KEY, orders bigint NOT NULL)",
    f"CREATE TABLE flags (key {_TEXT} NOT NULL PRIMARY KEY, value {_TEXT} NOT NULL)",
    f"""
CREATE TABLE lease (
  only_one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
  account {_TEXT} NOT NULL, token bigint NOT NULL, writer bigint NOT NULL UNIQUE,
  renewals bigint NOT NULL, host {_TEXT} NOT NULL, pid bigint NOT NULL, started bigint NOT NULL,
  space {_TEXT} NOT NULL, run_dir {_TEXT} NOT NULL, term_ns bigint NOT NULL,
  expires_at timestamptz NOT NULL, returned boolean NOT NULL)
""",
    """
INSERT INTO lease (account, token, writer, renewals, host, pid, started, space, run_dir, term_ns,
  expires_at, returned) VALUES ('', 0, 0, 0, '', 0, 0, '', '', 0, clock_timestamp(), true)
""",
    f"""
CREATE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
  mine text := current_setting('watchkeeper.writer', true);
  holds bigint;
BEGIN
  IF coalesce(mine, '') = '' THEN
    RAISE EXCEPTION 'this session does not say who writes' USING ERRCODE = '{UNNAMED}';
  END IF;
  SELECT writer INTO holds FROM lease FOR KEY SHARE;
  IF holds IS DISTINCT FROM mine::bigint THEN
    RAISE EXCEPTION 'another process has taken this ledger over' USING ERRCODE = '{FENCED}';
  END IF;
  RETURN NULL;
END
$body$
""",  # noqa: S608 - constant words
    """
CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON orders
FOR EACH STATEMENT EXECUTE FUNCTION fence()
""",
    """
CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON flags
FOR EACH STATEMENT EXECUTE FUNCTION fence()
""",
    """
CREATE FUNCTION count_ended(ended text) RETURNS void LANGUAGE sql AS $body$
  INSERT INTO state_counts (state, orders) VALUES (ended, 1)
  ON CONFLICT (state) DO UPDATE SET orders = state_counts.orders + 1
$body$
""",
    """
CREATE FUNCTION order_claimed() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM count_ended(NEW.state);
  RETURN NULL;
END
$body$
""",
    f"""
CREATE TRIGGER order_claimed AFTER INSERT ON orders FOR EACH ROW
WHEN (NEW.state NOT IN {_OPEN}) EXECUTE FUNCTION order_claimed()
""",
    """
CREATE VIEW order_steps AS SELECT
  order_key, state AS from_state, filled_quantity AS from_filled,
  state AS to_state, state_reason, filled_quantity, average_price, venue_order_id,
  updated_at_ns AS at_ns, false AS is_event, ''::text AS evidence,
  strategy_id, symbol, NULL::text AS position,
  NULL::text AS trade_id, NULL::text AS price, NULL::text AS quantity, NULL::text AS fee,
  NULL::text AS fee_currency, NULL::text AS liquidity, NULL::bigint AS ts_event_ns
FROM orders
""",
    f"""
CREATE FUNCTION order_stepped() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  UPDATE orders SET
    state = NEW.to_state, state_reason = NEW.state_reason,
    filled_quantity = NEW.filled_quantity, average_price = NEW.average_price,
    venue_order_id = NEW.venue_order_id, updated_at_ns = NEW.at_ns
  WHERE order_key = NEW.order_key AND state = NEW.from_state
    AND filled_quantity = NEW.from_filled;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'another process writes this ledger' USING ERRCODE = '{MOVED}';
  END IF;
  IF NEW.is_event THEN
    INSERT INTO order_events (order_key, number, at_ns, from_state, to_state, reason, evidence)
    SELECT NEW.order_key,
      (SELECT coalesce(max(e.number), 1) + 1 FROM order_events e
        WHERE e.order_key = NEW.order_key),
      NEW.at_ns, NEW.from_state, NEW.to_state, NEW.state_reason, NEW.evidence;
  END IF;
  IF NEW.from_state <> NEW.to_state AND NEW.to_state NOT IN {_OPEN} THEN
    PERFORM count_ended(NEW.to_state);
  END IF;
  IF NEW.trade_id IS NOT NULL THEN
    INSERT INTO fills (symbol, trade_id, order_key, price, quantity, fee, fee_currency,
      liquidity, ts_event_ns)
    VALUES (NEW.symbol, NEW.trade_id, NEW.order_key, NEW.price, NEW.quantity, NEW.fee,
      NEW.fee_currency, NEW.liquidity, NEW.ts_event_ns)
    ON CONFLICT (order_key, trade_id) DO NOTHING;
  END IF;
  IF NEW."position" IS NOT NULL THEN
    INSERT INTO positions (strategy_id, symbol, filled)
    VALUES (NEW.strategy_id, NEW.symbol, NEW."position")
    ON CONFLICT (strategy_id, symbol) DO UPDATE SET filled = excluded.filled;
  END IF;
  RETURN NEW;
END
$body$
""",  # noqa: S608 - constant words
    """
CREATE TRIGGER order_stepped INSTEAD OF INSERT ON order_steps
FOR EACH ROW EXECUTE FUNCTION order_stepped()
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
)

STOPS = (
    f"""
CREATE TABLE stops (
  entry_key {_TEXT} NOT NULL PRIMARY KEY, account {_TEXT} NOT NULL, strategy_id {_TEXT} NOT NULL,
  symbol {_TEXT} NOT NULL, side {_TEXT} NOT NULL, stop_loss {_TEXT}, take_profit {_TEXT},
  trails_by {_TEXT}, reference_price {_TEXT} NOT NULL, is_limit integer NOT NULL,
  placed_at_ns bigint NOT NULL, state {_TEXT} NOT NULL, best_price {_TEXT} NOT NULL,
  looked_at_ns bigint NOT NULL, released {_TEXT} NOT NULL, exits {_TEXT} NOT NULL,
  failed integer NOT NULL, cause {_TEXT} NOT NULL, acted_at_ns bigint NOT NULL,
  acted_price {_TEXT}, is_inside integer NOT NULL, why {_TEXT} NOT NULL)
""",
    "CREATE INDEX stops_kept ON stops (entry_key) WHERE state IN ('acted', 'armed')",
    """
CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON stops
FOR EACH STATEMENT EXECUTE FUNCTION fence()
""",
)
"""What `0002_stops` adds."""
