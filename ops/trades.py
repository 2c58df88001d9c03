"""The `trades` command: every execution that the ledger knows, the newest first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from decisions.spoken import spoken_price, spoken_quantity
from ops.moments import since_ns, utc_with_zone
from ops.run_files import LEDGER
from ops.tables import spoken, write_json, write_table
from ops.unmatched import tell_older, tell_unmatched
from persistence.reader import Execution, LedgerReader, Wanted

_SHOWN = (
    "time", "strategy_id", "symbol", "side", "quantity", "price", "fee", "fee_currency",
    "liquidity", "order_key",
)  # fmt: skip

_ROUNDING = {"quantity": spoken_quantity, "price": spoken_price, "fee": spoken_quantity}


def trades(
    run_dir: Path,
    *,
    as_json: bool,
    symbol: str | None = None,
    strategy: str | None = None,
    since: str | None = None,
    limit: int | None = None,
) -> int:
    """Print the executions and give the exit code.

    Raises:
        LedgerUnavailable: there is no ledger to read.
        ConfigError: `since` is no moment.
    """
    from_ns = since_ns(since)
    wanted = Wanted(symbol=symbol, strategy=strategy, since_ns=from_ns or None)
    with LedgerReader(run_dir / LEDGER) as ledger:
        rows = map(row_of, ledger.newest_executions(wanted, limit))
        shown = spoken(_timed(rows), _ROUNDING)
        written = write_json(rows) if as_json else write_table(_SHOWN, shown)
    if not written:
        tell_unmatched(run_dir / LEDGER, symbol, strategy)
        tell_older(run_dir / LEDGER, "execution", since, from_ns)
    return 0


def row_of(execution: Execution) -> dict[str, Any]:
    """Give an execution as JSON has it: money as text."""
    fill = execution.fill
    return {
        "trade_id": fill.trade_id,
        "order_key": execution.order_key,
        "strategy_id": execution.strategy_id,
        "symbol": execution.symbol,
        "side": str(execution.side),
        "price": f"{fill.price:f}",
        "quantity": f"{fill.quantity:f}",
        "fee": f"{fill.fee:f}",
        "fee_currency": fill.fee_currency,
        "liquidity": str(fill.liquidity),
        "ts_event_ns": fill.ts_event_ns,
    }


def _timed(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {"time": utc_with_zone(row["ts_event_ns"]), **row}
