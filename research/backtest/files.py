"""What a backtest has to be written beside its report: trades and daily equity, as CSV."""

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from decisions.exit_reasons import short_reason
from decisions.round_trips import Executed, RoundTrip, round_trips
from messages.ids import Symbol, quote_of
from research.backtest.loop import MarketOutcome

_EPOCH = date(1970, 1, 1).toordinal()
DAYS = "day,"
"""How a table of days begins; a column for each currency follows."""
TRADES = (
    "number", "strategy", "symbol", "side", "quantity", "entry", "exit", "opened", "closed",
    "profit", "fees", "quote", "executions", "entry_reason", "exit_reason",
)  # fmt: skip


def table_of_trades(executions: Iterable[Executed], markets: Iterable[MarketOutcome]) -> str:
    """Give every trade, from flat until flat again; what is open ends with an empty `closed`."""
    trips = round_trips(executions)
    prices: dict[Symbol, Decimal] = {one.symbol: one.last_price for one in markets}
    found = sorted([*trips.ended, *trips.open(prices)], key=lambda one: one.number)
    return _csv(TRADES, map(_trade, found))


def table_of_days(days: Mapping[str, Mapping[int, float]]) -> str:
    """Give the profit of each currency at the end of each UTC day."""
    numbers = sorted({day for of_quote in days.values() for day in of_quote})
    rows = (
        [date.fromordinal(_EPOCH + day).isoformat(), *(of.get(day, "") for of in days.values())]
        for day in numbers
    )
    return _csv([DAYS.rstrip(","), *days], rows)


def _trade(one: RoundTrip) -> list[Any]:
    side = "long" if one.side.sign > 0 else "short"
    closed = "" if one.closed_ns is None else _moment(one.closed_ns)
    amounts = [_plain(amount) for amount in (one.quantity, one.entry, one.exit)]
    money = [_plain(one.profit), _plain(one.fees), quote_of(one.symbol)]
    return [
        one.number, one.strategy, one.symbol, side, *amounts, _moment(one.opened_ns), closed,
        *money, one.executions, one.entry_reason, short_reason(one.exit_reason),
    ]  # fmt: skip


def _plain(amount: Decimal) -> str:
    """Give it without an exponent; averages, which are quotients, to 18 digits."""
    short = amount if len(amount.as_tuple().digits) <= 28 else Decimal(f"{amount:.18g}")
    return f"{short:f}"


def _moment(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns / 1e9, UTC).isoformat(timespec="milliseconds")


def _csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
