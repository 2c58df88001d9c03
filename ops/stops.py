"""What is told of stops: which protects what of which entry, and why it acted."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from decisions.metrics import money
from decisions.risk_exit import done_by
from decisions.spoken import spoken_price, spoken_quantity
from decisions.stops import level
from messages.exact import EXACT, NOTHING
from messages.stops import Stop, StopState
from ops.health_text import one_line
from ops.run_files import LEDGER
from ops.run_state import run_state, trades_live
from ops.tables import spoken, write_json, write_table
from persistence.reader import LedgerReader

_SHOWN = (
    "entry_key", "strategy_id", "symbol", "protects", "stop_loss", "take_profit", "trailing",
    "acts_at", "state", "why",
)  # fmt: skip

NONE_STUCK: Mapping[str, str] = {}
ROUNDING = {
    "protects": spoken_quantity,
    "stop_loss": spoken_price,
    "take_profit": spoken_price,
    "trailing": spoken_price,
    "acts_at": spoken_price,
    "best_price": spoken_price,
}


def stops(run_dir: Path, *, as_json: bool, symbol: str | None, strategy: str | None) -> int:
    """Print every stop, those that are done too, the oldest first; give the exit code.

    Raises:
        LedgerUnavailable: there is no ledger to read.
    """
    state = run_state(run_dir)
    with LedgerReader(run_dir / LEDGER) as ledger, ledger.one_moment():
        rows = [
            stop_row(stop, ledger, state.stuck)
            for stop in ledger.all_stops()
            if symbol in (None, stop.symbol) and strategy in (None, stop.strategy_id)
        ]
    if as_json:
        write_json(rows)
    else:
        write_table(_SHOWN, spoken(map(_in_short, rows), ROUNDING))
        tell_unkept(run_dir, rows, is_alive=state.is_alive)
    return 0


def _in_short(row: dict[str, Any]) -> dict[str, Any]:
    """Give it as a table has it: why it is stuck, and not how to look at it, which one does."""
    if row["problem"] is None:
        return row
    why = row["problem"].partition(": look at it")[0]
    return {**row, "state": f"{row['state']} (stuck)", "why": why}


def tell_unkept(run_dir: Path, rows: Iterable[Mapping[str, Any]], *, is_alive: bool) -> None:
    """Say of a live run without a process that its stops act no more, where one would."""
    kept = any(row["state"] != StopState.DONE for row in rows)
    if kept and not is_alive and trades_live(run_dir):
        sys.stdout.write("no process runs: no stop acts before the next start\n")


def stop_row(
    stop: Stop, ledger: LedgerReader, stuck: Mapping[str, str] = NONE_STUCK
) -> dict[str, Any]:
    """Give a stop as JSON has it: money as text; what it protects is read from its orders.

    `stuck` says which cannot act, or leave, by themselves, and why: by the keys of their entries.
    """
    problem = stuck.get(stop.entry_key) if stop.state is not StopState.DONE else None
    acts_at = level(stop) if stop.state is StopState.ARMED and problem is None else None
    return {
        "entry_key": stop.entry_key,
        "strategy_id": stop.strategy_id,
        "symbol": stop.symbol,
        "side": str(stop.side),
        "state": str(stop.state),
        "protects": money(protected(stop, ledger)),
        "stop_loss": _text(stop.stop_loss),
        "take_profit": _text(stop.take_profit),
        "trailing": _text(stop.trails_by),
        "best_price": money(stop.best_price),
        "acts_at": None if acts_at is None else money(acts_at[0]),
        "cause": stop.cause or None,
        "acted_at_ns": stop.acted_at_ns or None,
        "acted_price": _text(stop.acted_price),
        "released": money(stop.released),
        "exits": list(stop.exits),
        "failed": stop.failed,
        "why": stop.why or None,
        "problem": problem,
    }


def protected(stop: Stop, ledger: LedgerReader) -> Decimal:
    """Give what is filled of its entry, not sold by it, and not left by its strategy."""
    if stop.state is StopState.DONE:
        return NOTHING
    known = ledger.lookup([stop.entry_key, *stop.exits])
    left = known[stop.entry_key].filled_quantity if stop.entry_key in known else NOTHING
    for key in stop.exits:
        if key in known:
            left = EXACT.subtract(left, done_by(known[key]))
    return max(EXACT.subtract(left, stop.released), NOTHING)


def lines_of_stop(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give what `explain` says of the stop that an order brought, or that decided it."""
    stop, key = story["stop"], story["order"]["order_key"]
    if stop is None:
        return
    if key != stop["entry_key"]:
        yield "decided by", f"the stop of {stop['entry_key']}: {one_line(stop['why'] or '')}"
        return
    (stop,) = spoken([stop], ROUNDING)
    parts = [f"{name} {stop[name]}" for name in _NAMES if stop[name] is not None]
    yield "stop", f"{', '.join(parts)}: {stop['state']}, protects {stop['protects']}"
    if stop["acts_at"] is not None:
        yield "", f"acts at {stop['acts_at']}; best price so far {stop['best_price']}"
    if stop["why"]:
        yield "", one_line(stop["why"])
    if stop["problem"]:
        yield "", one_line(stop["problem"])
    for one in stop["exits"]:
        yield "  exit", one


_NAMES = ("stop_loss", "take_profit", "trailing")


def _text(price: Decimal | None) -> str | None:
    return None if price is None else money(price)
