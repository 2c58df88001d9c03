"""The state file: what was acknowledged outlives the process, killed at any moment.

One transaction per operation, synced to the disk before anybody hears of it. What could not
be written is kept and written with the next operation.
"""

import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from exchanges.local.effects import Effects
from exchanges.local.engine import Engine
from exchanges.local.filters import Market
from exchanges.local.orders import Order, Trade
from messages.errors import DataError

Row = TypeVar("Row")

_FORMAT = "1"
_ID_GAP = 100_000
"""Public trades are not kept; after a restart their numbers go on beyond any that were told."""
_SCHEMA = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists orders (id integer primary key, body text not null);
create table if not exists trades (id integer primary key, body text not null);
create table if not exists balances (asset text primary key, free text, locked text);
create table if not exists markets (symbol text primary key, body text not null);
"""


class State:
    """One file, and the one process that has it."""

    def __init__(self, path: Path, *, profile: str) -> None:
        self._path = path
        self._pending = Effects()
        try:
            self._db = sqlite3.connect(
                path, timeout=0.5, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            self._set_up(profile)
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.Error):
                raise self._unusable(error) from error
            raise

    def _set_up(self, profile: str) -> None:
        self._db.execute("pragma locking_mode = exclusive")
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)
        self._check(profile)

    def _unusable(self, error: sqlite3.Error) -> DataError:
        if "locked" in str(error):
            return DataError(f"{self._path}: another process has this state file")
        return DataError(f"{self._path}: cannot be used as a state file: {error}")

    def load(self, engine: Engine) -> None:
        """Give an engine what the file holds: rules, balances, orders, trades, numbers.

        Raises:
            DataError: it holds orders in a symbol that the engine does not list.
        """
        for (body,) in self._db.execute("select body from markets"):
            market = msgspec.json.decode(body, type=Market)
            if market.symbol in engine.markets:
                engine.markets[market.symbol] = market
        orders = self._rows("orders", Order)
        missing = {order.symbol for order in orders} - set(engine.markets)
        if missing:
            raise DataError(f"{self._path}: it has orders in {', '.join(sorted(missing))}: add it")
        balances = self._db.execute("select asset, free, locked from balances").fetchall()
        engine.restore(orders, self._rows("trades", Trade))
        for asset, free, locked in balances:
            engine.account.restore(asset, Decimal(free), Decimal(locked))
        last = int(self._meta("last_trade_id") or 0)
        if last:
            engine.trades.last_id = max(engine.trades.last_id, last) + _ID_GAP

    def played(self) -> dict[str, int]:
        """Give how far each market had come."""
        return msgspec.json.decode(self._meta("played") or "{}", type=dict[str, int])

    def write(self, effects: Effects, engine: Engine, played: dict[str, int]) -> None:
        """Make an operation's effects durable.

        Raises:
            sqlite3.Error: they are not; they will be tried again with the next ones.
        """
        self._pending.orders |= effects.orders
        self._pending.trades = [*self._pending.trades, *effects.trades]
        self._pending.assets = tuple({*self._pending.assets, *effects.assets})
        self._transact(engine, played, ())
        self._pending = Effects()

    def write_markets(self, engine: Engine, played: dict[str, int]) -> None:
        """Make the rules of the markets, and how far they have come, durable."""
        self._transact(engine, played, engine.markets.values())

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def _transact(self, engine: Engine, played: dict[str, int], markets: Iterable[Market]) -> None:
        pending, balances = self._pending, engine.account.balances
        self._db.execute("begin immediate")
        try:
            self._put("orders", [(one.order_id, _json(one)) for one in pending.orders.values()])
            self._put("trades", [(one.trade_id, _json(one)) for one in pending.trades])
            self._put("markets", [(market.symbol, _json(market)) for market in markets])
            rows = [(name, str(balances[name].free), str(balances[name].locked))
                    for name in pending.assets]  # fmt: skip
            self._db.executemany("insert or replace into balances values (?, ?, ?)", rows)
            progress = {"last_trade_id": str(engine.trades.last_id), "played": _json(played)}
            self._put("meta", list(progress.items()))
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    def _put(self, table: str, rows: list[tuple[object, str]]) -> None:
        if rows:
            self._db.executemany(f"insert or replace into {table} values (?, ?)", rows)  # noqa: S608 - names of our own tables

    def _rows(self, table: str, kind: type[Row]) -> list[Row]:
        rows = self._db.execute(f"select body from {table} order by id")  # noqa: S608 - names of our own tables
        return [msgspec.json.decode(body, type=kind) for (body,) in rows]

    def _check(self, profile: str) -> None:
        made = {"format": _FORMAT, "profile": profile}
        if self._meta("format") is None:
            self._put("meta", list(made.items()))
        for key, value in made.items():
            if (found := self._meta(key)) != value:
                raise DataError(f"{self._path}: its {key} is {found}, not {value}")

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return str(row[0]) if row else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
