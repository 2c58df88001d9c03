"""The orders of a run with their lives, and its executions; from the ledger, which is the truth."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from decisions.chart_numbers import drawn, seconds
from decisions.equity_curve import Execution as Traded
from decisions.halting import reason_in
from decisions.metrics import money
from decisions.order_story import open_quantity, spans_ns, what_next
from messages.errors import LedgerUnavailable
from messages.exact import is_sane, is_sane_signed
from messages.ids import OrderKey
from messages.orders import Fill
from messages.values import OrderState
from ops.decided_order import in_decided_order, moment_of
from ops.moments import span
from ops.run_files import LEDGER
from persistence.lives import Life, all_executions, newest_lives
from persistence.reader import LedgerReader
from persistence.transitions import Event

_ANSWERS = (
    OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.REJECTED,
)  # fmt: skip


class Ledgered(msgspec.Struct):
    """What a ledger holds, for drawing."""

    problem: str = ""
    """Why it could not be read; empty when it could."""
    states: dict[str, int] = {}
    halted: str = ""
    table: dict[str, Any] = {}
    executions: list[Traded] = []
    """In the order of time."""
    marks: list[list[Any]] = []
    """Symbol, seconds, side, price and quantity as text, the order's key: for the candles."""
    insane: int = 0
    """Executions whose numbers cannot be money."""
    last_decided_ns: int = 0
    steps: dict[tuple[OrderKey, str], tuple[int, int]] = {}
    """By order and stage when and how many nanoseconds: what the durable steps tell of latency."""


def read_ledger(run_dir: Path, *, most_orders: int, is_alive: bool) -> Ledgered:
    """Read all of it; what cannot be read is said in `problem`."""
    found = Ledgered()
    try:
        with LedgerReader(run_dir / LEDGER) as ledger:
            _read(ledger, found, most_orders, is_alive=is_alive)
    except LedgerUnavailable as error:
        found.problem = str(error)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        found.problem = f"the ledger holds what nothing of ours wrote: {error}"
    return found


def _read(ledger: LedgerReader, found: Ledgered, most_orders: int, *, is_alive: bool) -> None:
    found.states = {state.value: count for state, count in sorted(ledger.states().items())}
    found.halted = reason_in(ledger.halt_reason())
    rows, reasons = [], Counter[str]()
    for life in newest_lives(ledger, most_orders):
        rows.append(_row(life, is_alive=is_alive, halted=found.halted))
        found.last_decided_ns = max(found.last_decided_ns, life.entry.decided_at_ns)
        found.steps |= _latencies(life.entry.order_key, life.events)
        if life.entry.state in (OrderState.REFUSED, OrderState.REJECTED):
            reasons[life.entry.state_reason.partition(":")[0].strip() or life.entry.state] += 1
    found.table = {
        "rows": rows,
        "total": sum(found.states.values()),
        "reasons": dict(reasons.most_common(30)),
    }
    executions = list(all_executions(ledger))
    sane = [one for one in executions if _is_sane(one.fill)]
    found.insane = len(executions) - len(sane)
    sane.sort(key=moment_of)
    for one in in_decided_order(sane):
        found.executions.append((one.fill.ts_event_ns, one.symbol, one.side, one.fill))
        found.marks.append(_mark(one.order_key, one.symbol, one.side.value, one.fill))


def _row(life: Life, *, is_alive: bool, halted: str) -> dict[str, Any]:
    entry = life.entry
    return {
        "key": entry.order_key,
        "client_order_id": entry.client_order_id,
        "venue_order_id": entry.venue_order_id,
        "strategy": entry.strategy_id,
        "symbol": entry.symbol,
        "side": entry.side.value,
        "type": entry.order_type.value,
        "tif": entry.time_in_force.value,
        "quantity": money(entry.quantity),
        "decided_quantity": _text(entry.decided_quantity),
        "limit": _text(entry.limit_price),
        "reference": money(entry.reference_price),
        "state": entry.state.value,
        "filled": money(entry.filled_quantity),
        "average": _text(entry.average_price),
        "decided": seconds(entry.decided_at_ns),
        "updated": seconds(entry.updated_at_ns),
        "why": entry.reason,
        "state_reason": entry.state_reason,
        "open": money(open_quantity(entry)),
        "next": what_next(entry.state, is_alive=is_alive, halted=halted),
        "life": _steps(life.events),
        "fills": [_fill(fill) for fill in life.fills],
    }


def _steps(events: list[Event]) -> list[list[Any]]:
    """When, how long after the one before, from which state, to which, why, how it is known."""
    return [
        [
            seconds(event.at_ns),
            "" if after_ns is None else span(after_ns),
            event.from_state,
            event.to_state.value,
            event.reason,
            event.evidence,
        ]
        for event, after_ns in zip(events, spans_ns(events), strict=True)
    ]


def _fill(fill: Fill) -> list[Any]:
    return [
        seconds(fill.ts_event_ns), money(fill.quantity), money(fill.price), money(fill.fee),
        fill.fee_currency, fill.liquidity.value, fill.trade_id,
    ]  # fmt: skip


def _is_sane(fill: Fill) -> bool:
    return is_sane(fill.price) and is_sane(fill.quantity) and is_sane_signed(fill.fee)


def _mark(key: OrderKey, symbol: str, side: str, fill: Fill) -> list[Any]:
    moment = seconds(fill.ts_event_ns)
    return [symbol, moment, side, money(fill.price), money(fill.quantity), key, drawn(fill.price)]


def _latencies(
    key: OrderKey, events: Iterable[Event]
) -> dict[tuple[OrderKey, str], tuple[int, int]]:
    """Give ``ack`` (sent until the venue's first answer) and ``fill`` (accepted until filled)."""
    found: dict[tuple[OrderKey, str], tuple[int, int]] = {}
    sent_ns = accepted_ns = None
    for event in events:
        at_ns, state = event.at_ns, event.to_state
        if state is OrderState.SENT:
            sent_ns = at_ns
        elif state in _ANSWERS and sent_ns is not None:
            found.setdefault((key, "ack"), (at_ns, at_ns - sent_ns))
        if state is OrderState.ACCEPTED:
            accepted_ns = at_ns
        elif state is OrderState.FILLED and accepted_ns is not None:
            found[key, "fill"] = (at_ns, at_ns - accepted_ns)
    return found


def _text(amount: Any) -> str | None:
    return None if amount is None else money(amount)
