"""The `orders` command: what the ledger, or the paper venue, knows of every order."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from decisions.spoken import spoken_price, spoken_quantity
from messages.errors import ConfigError, LedgerUnavailable
from messages.values import OrderState
from ops.moments import since_ns, utc_with_zone
from ops.run_files import LEDGER, PAPER_BOOK, typed
from ops.tables import spoken, write_json, write_table
from ops.unmatched import tell_older, tell_unmatched

KEYS = (
    "order_key", "client_order_id", "strategy_id", "symbol", "side", "order_type", "quantity",
    "limit_price", "state", "filled_quantity", "average_price", "decided_at_ns", "venue_order_id",
)  # fmt: skip
_NUMBERS = ("decided_at_ns",)
_SHOWN = (
    "decided_at", "order_key", "strategy_id", "symbol", "side", "order_type", "quantity",
    "limit_price", "state", "filled_quantity", "average_price",
)  # fmt: skip
ROUNDING = {
    "quantity": spoken_quantity,
    "limit_price": spoken_price,
    "filled_quantity": spoken_quantity,
    "average_price": spoken_price,
}
_TOGETHER = 500
"""So many of the venue's orders are looked up in the ledger at once."""

_NO_BOOK = (
    "--venue: this run trades live, so it has no paper venue: `watchkeeper orders --run-dir {0}`"
    " lists its orders as the exchange told of them, `watchkeeper account {0}` the balances and"
    " the open orders of others"
)
Row = dict[str, Any]


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders; empty or None is any. Of those, `limit` gives the newest."""

    states: tuple[str, ...] = ()
    symbol: str | None = None
    strategy: str | None = None
    since: str | None = None
    limit: int | None = None

    def check(self) -> None:
        """Pass states that exist.

        Raises:
            ConfigError: one does not.
        """
        known = [state.value for state in OrderState]
        wrong = [state for state in self.states if state not in known]
        if wrong:
            raise ConfigError([f"--state {', '.join(wrong)}: expected one of {', '.join(known)}"])

    def passes(self, row: Row) -> bool:
        """Whether all but time and limit is met."""
        return (
            (not self.states or row["state"] in self.states)
            and (self.symbol is None or row["symbol"] == self.symbol)
            and (self.strategy is None or row["strategy_id"] == self.strategy)
        )


ALL = OrderFilter()


def orders(run_dir: Path, *, as_json: bool, venue: bool, wanted: OrderFilter = ALL) -> int:
    """Print the orders, oldest first, and give the exit code.

    Raises:
        LedgerUnavailable, DataError: there is nothing to read in this run directory.
        ConfigError: the filter makes no sense, or a live run is asked for its paper venue.
    """
    wanted.check()
    from_ns = since_ns(wanted.since)
    rows = _of_venue(run_dir, wanted, from_ns) if venue else _of_ledger(run_dir, wanted, from_ns)
    written = write_json(rows) if as_json else write_table(_SHOWN, spoken(_timed(rows), ROUNDING))
    if not written:
        tell_unmatched(run_dir / LEDGER, wanted.symbol, wanted.strategy)
        tell_older(run_dir / LEDGER, "order", wanted.since, from_ns)
    return 0


def row_of(entry: object) -> Row:
    """Give an order as JSON has it: money as text."""
    row: Row = {}
    for key in KEYS:
        value = getattr(entry, key, None)
        row[key] = value if value is None or key in _NUMBERS else text_of(value)
    return row


def text_of(value: object) -> str:
    """Give a word or an amount as it is read: without an exponent, which a price of 1E-7 has."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _timed(rows: Iterable[Row]) -> Iterator[Row]:
    """Add when each was decided, on the market's clock."""
    for row in rows:
        yield {"decided_at": utc_with_zone(row["decided_at_ns"]), **row}


def _of_ledger(run_dir: Path, wanted: OrderFilter, from_ns: int) -> Iterable[Row]:
    from persistence.ledger import read_orders

    path = run_dir / LEDGER
    if wanted.limit is not None:
        return reversed(list(_newest(path, wanted, from_ns, wanted.limit)))
    entries = read_orders(path, from_ns) if from_ns else read_orders(path)
    return filter(wanted.passes, map(row_of, entries))


def _newest(path: Path, wanted: OrderFilter, from_ns: int, limit: int) -> Iterator[Row]:
    from persistence.reader import LedgerReader

    with LedgerReader(path) as ledger:
        rows = filter(wanted.passes, map(row_of, ledger.newest_orders(from_ns)))
        yield from islice(rows, limit)


def _of_venue(run_dir: Path, wanted: OrderFilter, from_ns: int) -> Iterable[Row]:
    """The venue knows neither decisions nor strategies: those are the ledger's, if there."""
    from exchanges.paper_book import read_book
    from ops.run_state import trades_live

    if trades_live(run_dir):
        raise ConfigError([_NO_BOOK.format(typed(run_dir))])
    book = read_book(run_dir / PAPER_BOOK)
    first = next(book, None)  # raises here, before anything is printed
    entries = () if first is None else chain([first], book)
    named = _named(run_dir / LEDGER, map(row_of, entries))
    rows = (r for r in named if r["decided_at_ns"] >= from_ns and wanted.passes(r))
    return rows if wanted.limit is None else deque(rows, wanted.limit)


def _named(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    while together := list(islice(rows, _TOGETHER)):
        known = _names(path, [row["decided_at_ns"] for row in together])
        for row in together:
            row["order_key"], row["strategy_id"] = known.get(row["client_order_id"], (None, None))
            yield row


def _names(path: Path, moments_ns: Sequence[int]) -> dict[str, tuple[str, str]]:
    from persistence.reader import LedgerReader

    try:
        with LedgerReader(path) as ledger:
            entries = ledger.decided_at(moments_ns)
            return {e.client_order_id: (e.order_key, e.strategy_id) for e in entries}
    except LedgerUnavailable:
        return {}
