"""The `positions` command: what the ledger's executions make, per strategy and per symbol."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from decisions.metrics import money
from decisions.portfolio import Holding, Portfolio
from decisions.spoken import spoken_money, spoken_price, spoken_quantity
from decisions.who_leaves import who_leaves
from messages.exact import EXACT, NOTHING
from messages.ids import StrategyId, Symbol, base_of, quote_of
from ops.dashboard.facts import config_of
from ops.decided_order import in_decided_order
from ops.health_text import one_line
from ops.run_files import LEDGER
from ops.run_state import run_state, traded_by
from ops.stops import ROUNDING as STOP_ROUNDING
from ops.stops import stop_row, tell_unkept
from ops.tables import spoken, write_json, write_table
from ops.unmatched import tell_unmatched
from persistence.reader import Execution, LedgerReader, PositionRow, Wanted

_NET = "realized (net)"
"""Fees are taken from it already; they stand beside it to be seen."""
_ROUNDING = {
    "quantity": spoken_quantity,
    "average_cost": spoken_price,
    "mark_price": spoken_price,
    _NET: spoken_money,
    "unrealized": spoken_money,
}
_SHOWN = (
    "strategy_id", "symbol", "quantity", "average_cost", "mark_price", _NET, "unrealized",
    "fees", "executions",
)  # fmt: skip


class _Account:
    """One row to be: the executions of a strategy in a symbol, or of all strategies in it."""

    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self.portfolio = Portfolio()
        self.fees: dict[str, Decimal] = {}
        self.executions = 0
        self.filled = NOTHING
        """Signed, without what fees in base currency took."""
        self.last_price: Decimal | None = None

    def record(self, one: Execution) -> None:
        """Count one execution."""
        fill = one.fill
        self.portfolio.record(self.symbol, one.side, fill)
        self.fees[fill.fee_currency] = EXACT.add(
            self.fees.get(fill.fee_currency, NOTHING), fill.fee
        )
        self.filled = EXACT.add(self.filled, one.side.signed(fill.quantity))
        self.executions += 1
        self.last_price = fill.price

    @property
    def holding(self) -> Holding:
        """What it makes."""
        return self.portfolio.holdings.get(self.symbol, Holding())


def positions(
    run_dir: Path, *, as_json: bool, symbol: str | None = None, strategy: str | None = None
) -> int:
    """Print the positions, then the totals per symbol, and give the exit code.

    Raises:
        LedgerUnavailable: there is no ledger to read.
    """
    wanted, state = Wanted(symbol=symbol, strategy=strategy), run_state(run_dir)
    with LedgerReader(run_dir / LEDGER) as ledger:
        kept, executions = ledger.holdings(wanted)
        ordered = in_decided_order(executions)
        rows = list(_rows(_wanted(kept, wanted), ordered, state.prices))
        kept_stops = [stop_row(stop, ledger, state.stuck) for stop in ledger.kept_stops()]
    named = _named(run_dir)
    for row in rows:
        row["in_config"] = None if named is None else _is_named(row, named)
        row["stops"] = [stop for stop in kept_stops if _is_of(row, stop)]
    if as_json:
        write_json(rows)
    else:
        _print(rows)
        tell_unkept(run_dir, kept_stops, is_alive=state.is_alive)
    if not rows:
        tell_unmatched(run_dir / LEDGER, symbol, strategy)
    return 0


def _named(run_dir: Path) -> set[tuple[str, str]] | None:
    """Give which strategies trade what by the last start's config; None without one."""
    return traded_by(config_of(run_dir)[0])


def _is_named(row: Mapping[str, Any], named: set[tuple[str, str]]) -> bool:
    who, symbol = row["strategy_id"], row["symbol"]
    return any(symbol == other and who in (None, one) for one, other in named)


def _is_of(row: Mapping[str, Any], stop: Mapping[str, Any]) -> bool:
    return row["symbol"] == stop["symbol"] and row["strategy_id"] in (None, stop["strategy_id"])


def _wanted(kept: Iterable[PositionRow], wanted: Wanted) -> Iterator[PositionRow]:
    for row in kept:
        if wanted.strategy in (None, row[0]) and wanted.symbol in (None, row[1]):
            yield row


def _rows(
    kept: Iterable[PositionRow], executions: Iterable[Execution], prices: Mapping[str, Decimal]
) -> Iterator[dict[str, Any]]:
    of_strategy: dict[tuple[StrategyId, Symbol], _Account] = {}
    of_symbol: dict[Symbol, _Account] = {}
    filled: dict[tuple[StrategyId, Symbol], Decimal] = {}
    totals: dict[Symbol, Decimal] = {}
    for one in executions:
        place = (one.strategy_id, one.symbol)
        of_strategy.setdefault(place, _Account(one.symbol)).record(one)
        of_symbol.setdefault(one.symbol, _Account(one.symbol)).record(one)
    for strategy, where, text in kept:
        amount = Decimal(text)
        filled[strategy, where] = amount
        totals[where] = EXACT.add(totals.get(where, NOTHING), amount)
        of_strategy.setdefault((strategy, where), _Account(where))
        of_symbol.setdefault(where, _Account(where))
    for place, account in sorted(of_strategy.items()):
        yield _row("strategy", place[0], account, filled.get(place, NOTHING), prices)
    for symbol, account in sorted(of_symbol.items()):
        yield _row("total", None, account, totals.get(symbol, NOTHING), prices)


def _row(
    scope: str,
    strategy: str | None,
    account: _Account,
    filled: Decimal,
    prices: Mapping[str, Decimal],
) -> dict[str, Any]:
    market = prices.get(account.symbol)
    mark = account.last_price if market is None else market
    if mark is not None:
        account.portfolio.mark(account.symbol, mark)
    holding = account.holding
    return {
        "scope": scope,
        "strategy_id": strategy,
        "symbol": account.symbol,
        "quantity": money(holding.quantity),
        "average_cost": money(holding.average_cost),
        "realized": money(holding.realized),
        "unrealized": money(holding.unrealized),
        "mark_price": None if mark is None else money(mark),
        "mark_source": None if mark is None else "last_fill" if market is None else "market",
        "fees": {currency: money(fee) for currency, fee in sorted(account.fees.items())},
        "executions": account.executions,
        "filled_without_executions": money(EXACT.subtract(filled, account.filled)),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    write_table(_SHOWN, spoken(map(_shown, rows), _ROUNDING))
    for line in (*_in_all(rows), *_unpriced(rows), *_said_of(rows)):
        sys.stdout.write(f"{one_line(line)}\n")


def _said_of(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["scope"] == "strategy" and row["filled_without_executions"] != "0":
            unexplained = spoken_quantity(row["filled_without_executions"])
            yield (
                f"{row['strategy_id']} {row['symbol']}: {unexplained} is"
                " filled of which no execution is known; it is not in the figures above"
            )
        if row["scope"] == "strategy":
            if row["in_config"] is False and row["quantity"] != "0":
                yield (
                    f"{row['strategy_id']} {row['symbol']}: the last start's config has no such"
                    f" strategy on that market: {_who_leaves(row)}"
                )
            yield from map(_stop_line, row["stops"])


def _who_leaves(row: Mapping[str, Any]) -> str:
    stops = (Decimal(one["protects"]) for one in row["stops"] if not one["problem"])
    return who_leaves(Decimal(row["quantity"]), sum(stops, start=NOTHING))


def _stop_line(stop: Mapping[str, Any]) -> str:
    """Say what stands behind a position: at which prices it is left, or why it is being left."""
    (stop,) = spoken([stop], STOP_ROUNDING)
    names = ("stop_loss", "take_profit", "trailing")
    prices = ", ".join(f"{name} {stop[name]}" for name in names if stop[name] is not None)
    place = f"{stop['strategy_id']} {stop['symbol']}"
    if stop["problem"]:
        return f"{place}: {stop['protects']} NOT protected: {stop['problem']}"
    how = f"acts at {stop['acts_at']}" if stop["acts_at"] is not None else stop["why"] or "waits"
    return (
        f"{place}: {stop['protects']} protected by the stop of"
        f" {stop['entry_key']} ({prices}), {stop['state']}: {how}"
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    fees = ", ".join(f"{spoken_money(fee)} {currency}" for currency, fee in row["fees"].items())
    named = {"strategy_id": row["strategy_id"] or "(all)", "fees": fees or "0"}
    return {**row, **named, _NET: row["realized"]}


def _in_all(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Give a line for each quote currency: what all of it came to."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for row in rows:
        if row["scope"] == "total":
            realized, open_ = sums.get(quote_of(row["symbol"]), (NOTHING, NOTHING))
            sums[quote_of(row["symbol"])] = (
                EXACT.add(realized, Decimal(row["realized"])),
                EXACT.add(open_, Decimal(row["unrealized"])),
            )
    for quote, (realized, open_) in sorted(sums.items()):
        yield (
            f"in all {spoken_money(EXACT.add(realized, open_))} {quote} net of fees: realized"
            f" {spoken_money(realized)}, unrealized {spoken_money(open_)}"
        )


def _unpriced(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Say which fees, in a venue's own coin, no sum holds."""
    fees: dict[str, Decimal] = {}
    for row in rows:
        if row["scope"] == "total":
            for currency, fee in row["fees"].items():
                if currency not in (base_of(row["symbol"]), quote_of(row["symbol"])):
                    fees[currency] = EXACT.add(fees.get(currency, NOTHING), Decimal(fee))
    for currency, fee in sorted(fees.items()):
        yield f"fees of {spoken_money(fee)} {currency} are in no sum: no price of them is known"
