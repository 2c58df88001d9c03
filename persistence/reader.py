"""A ledger read from outside its run: one connection that can neither write nor checkpoint.

What is walked is read in pages, each one moment of its own, so that neither a long walk nor a
reader that pauses keeps the writer from using its log again. Memory is that of one page.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from messages.ids import AccountId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.orders import Fill
from messages.stops import Stop
from messages.values import OrderState, Side
from persistence import statements as sql
from persistence.entries import LedgerEntry
from persistence.ledger_place import LedgerPlace
from persistence.read_connection import open_reading
from persistence.reading import events_in
from persistence.stop_rows import SELECT_ALL, SELECT_KEPT, SELECT_OF_EXIT, SELECT_STOP, stop_in
from persistence.transitions import Event

_PAGE = 1_000
_FILLS_PAGE = 20_000
"""Each page of fills in the order of time is a look at all of them: there is no index of it."""
_NAMES = ("order_key", "client_order_id", "venue_order_id")
_AFTER_ALL = "\U0010ffff"
_ALL = 2**62
SELECT_EXECUTIONS = (
    "SELECT f.order_key, o.strategy_id, f.symbol, o.side, o.reason, o.account, o.decided_at_ns,"
    " f.trade_id, f.price, f.quantity, f.fee, f.fee_currency, f.liquidity, f.ts_event_ns"
    " FROM fills f CROSS JOIN orders o ON o.order_key = f.order_key"
)
FILL_FROM = 7
"""From this place on a row of it is a fill, the trade id first."""
SELECT_TRADED = "SELECT DISTINCT strategy_id, symbol FROM orders"
_OLDEST_FIRST = " ORDER BY f.ts_event_ns, f.symbol, f.trade_id, f.order_key"
_NEWEST_FIRST = (
    " ORDER BY f.ts_event_ns DESC, f.symbol DESC, f.trade_id DESC, f.order_key DESC LIMIT ?"
)
_BEFORE = "(f.ts_event_ns, f.symbol, f.trade_id, f.order_key) < (?, ?, ?, ?)"

PositionRow = tuple[StrategyId, Symbol, str]
"""The signed filled quantity as the ledger keeps it, as text."""


class Execution(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fill, and whose it is."""

    order_key: OrderKey
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    reason: str
    """Why its order was decided."""
    account: AccountId
    decided_at_ns: TimestampNs
    fill: Fill


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions; None is any."""

    symbol: str | None = None
    strategy: str | None = None
    since_ns: int | None = None


ANY = Wanted()


class LedgerReader:
    """Belongs to the thread that made it. Close it, or use it in a `with`.

    `where` is the ledger's file, or what stands in its place; see `persistence.ledger_place`.

    Raises:
        LedgerUnavailable: there is no ledger of this version; or, from any method, it cannot
            be read.
    """

    def __init__(self, where: Path | LedgerPlace) -> None:
        self._connection = open_reading(where)
        self.rows = self._connection.rows
        """Runs one constant SELECT; see `ReadConnection.rows`."""

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def newest_orders(self, since_ns: int = 0) -> Iterator[LedgerEntry]:
        """Walk the orders decided at or after a moment, newest first."""
        before, floor = _AFTER_ALL, sql.key_floor(since_ns)
        while True:
            page = [sql.entry_of(row) for row in self.rows(sql.SELECT_BEFORE, (before, _PAGE))]
            yield from (e for e in page if e.decided_at_ns >= since_ns)
            if len(page) < _PAGE or page[-1].order_key < floor:
                return
            before = page[-1].order_key

    def named(self, name: str, limit: int = 6) -> list[LedgerEntry]:
        """Give the orders that one of whose three names begins so, a whole name first.

        The key is looked at first, and only if it tells nothing the others, which costs a
        walk over all orders.
        """
        for column in _NAMES:
            statement = sql.SELECT_NAMED.format(column=column)
            rows = self.rows(statement, (name, name + _AFTER_ALL, name, limit))
            if rows:
                found = [sql.entry_of(row) for row in rows]
                whole = [entry for entry in found if getattr(entry, column) == name]
                return whole or found
        return []

    def lookup(self, keys: Sequence[OrderKey]) -> dict[OrderKey, LedgerEntry]:
        """Give the orders that are there."""
        found: dict[OrderKey, LedgerEntry] = {}
        for chunk in sql.chunks(keys):
            rows = self.rows(sql.select_keys(len(chunk)), tuple(chunk))
            found |= sql.by_key(sql.entry_of(row) for row in rows)
        return found

    def events(self, key: OrderKey) -> list[Event]:
        """See `reading.read_events`."""
        return events_in(self.rows(sql.SELECT_EVENTS, (key,)))

    def fills(self, key: OrderKey) -> list[Fill]:
        """See `reading.read_fills`."""
        return sql.fills_in(self.rows(sql.SELECT_FILLS, (key,)))

    def decided_at(self, moments_ns: Sequence[int]) -> Iterator[LedgerEntry]:
        """Give the orders that were decided in the same milliseconds as these moments."""
        statement = sql.SELECT_NAMED.format(column="order_key")
        for floor in dict.fromkeys(map(sql.key_floor, moments_ns)):
            for row in self.rows(statement, (floor, floor + _AFTER_ALL, floor, _ALL)):
                yield sql.entry_of(row)

    def newest_executions(
        self, wanted: Wanted = ANY, limit: int | None = None
    ) -> Iterator[Execution]:
        """Walk the executions, newest first by the venue's time."""
        conditions, values = _conditions(wanted)
        place: tuple[object, ...] = ()
        left = limit
        while left is None or left > 0:
            size = _FILLS_PAGE if left is None else min(left, _FILLS_PAGE)
            where = _where([*conditions, _BEFORE] if place else conditions)
            statement = SELECT_EXECUTIONS + where + _NEWEST_FIRST
            page = executions_in(self.rows(statement, (*values, *place, size)))
            yield from page
            if len(page) < size:
                return
            last = page[-1]
            place = (last.fill.ts_event_ns, last.symbol, last.fill.trade_id, last.order_key)
            left = None if left is None else left - len(page)

    def holdings(self, wanted: Wanted = ANY) -> tuple[list[PositionRow], Iterator[Execution]]:
        """Give the kept positions, and all executions oldest first, as of one moment.

        Take the executions to their end at once: the moment is held until then.
        """
        conditions, values = _conditions(wanted)
        statement = SELECT_EXECUTIONS + _where(conditions) + _OLDEST_FIRST
        connection = self._connection
        begun = connection.begin()
        positions = connection.rows(sql.SELECT_POSITIONS)

        def walk() -> Iterator[Execution]:
            try:
                for rows in connection.pages(statement, values, _PAGE):
                    yield from executions_in(rows)
            finally:
                if begun:
                    connection.end()

        return positions, walk()

    def states(self) -> dict[OrderState, int]:
        """Count the orders by state, without a walk over them."""
        rows = [*self.rows(sql.SELECT_ENDED), *self.rows(sql.SELECT_OPEN_STATES)]
        return {OrderState(state): count for state, count in rows if count}

    def open_keys(self) -> set[OrderKey]:
        """Give the keys of the orders that have not ended."""
        return {OrderKey(key) for (key,) in self.rows(sql.SELECT_OPEN_KEYS)}

    def ended(self) -> dict[str, int]:
        """Give the kept counts of the orders that ended, by the word of their state."""
        return {state: count for state, count in self.rows(sql.SELECT_ENDED) if count}

    def positions(self) -> Mapping[tuple[StrategyId, Symbol], str]:
        """Give the kept positions."""
        return {(strategy, symbol): filled for strategy, symbol, filled in self._positions()}

    def traded(self) -> set[tuple[StrategyId, Symbol]]:
        """Give who has decided an order of what; a walk over all orders."""
        return {(strategy, symbol) for strategy, symbol in self.rows(SELECT_TRADED)}

    def kept_stops(self) -> list[Stop]:
        """Give the stops that are not done."""
        return [stop_in(row) for row in self.rows(SELECT_KEPT)]

    def all_stops(self) -> list[Stop]:
        """Give those that are done too."""
        return [stop_in(row) for row in self.rows(SELECT_ALL)]

    def stop_of(self, key: OrderKey) -> Stop | None:
        """Give the stop that an order was claimed with, or else that decided it."""
        for statement in (SELECT_STOP, SELECT_OF_EXIT):
            if rows := self.rows(statement, (key,)):
                return stop_in(rows[0])
        return None

    def halt_reason(self) -> str:
        """Say why trading is halted durably; empty when it is not."""
        rows = self.rows(sql.SELECT_FLAG, ("halt",))
        return str(rows[0][0]) if rows else ""

    def note(self, name: str) -> str:
        """Give what was last noted under a name; empty when nothing was."""
        rows = self.rows(sql.SELECT_FLAG, (f"note:{name}",))
        return str(rows[0][0]) if rows else ""

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Let everything read inside be of one moment. Be quick: the log is kept until then.

        Inside another, it is that one's moment.
        """
        if not self._connection.begin():
            yield
            return
        try:
            yield
        finally:
            self._connection.end()

    def problems(self) -> list[str]:
        """Let the database check what it has stored; empty when it finds nothing."""
        return self._connection.problems()

    def _positions(self) -> list[PositionRow]:
        return [(row[0], row[1], row[2]) for row in self.rows(sql.SELECT_POSITIONS)]


def _conditions(wanted: Wanted) -> tuple[list[str], tuple[object, ...]]:
    asked = {
        "f.symbol = ?": wanted.symbol,
        "o.strategy_id = ?": wanted.strategy,
        "f.ts_event_ns >= ?": wanted.since_ns,
    }
    used = {text: value for text, value in asked.items() if value is not None}
    return list(used), tuple(used.values())


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def executions_in(rows: Sequence[sql.Row]) -> list[Execution]:
    """Read what `SELECT_EXECUTIONS` gives.

    Raises:
        LedgerUnavailable, ValueError: somebody else wrote it.
    """
    fills = sql.fills_in([row[FILL_FROM:] for row in rows])
    return [
        Execution(
            order_key=row[0],
            strategy_id=row[1],
            symbol=row[2],
            side=Side(row[3]),
            reason=row[4],
            account=row[5],
            decided_at_ns=row[6],
            fill=fill,
        )
        for row, fill in zip(rows, fills, strict=True)
    ]
