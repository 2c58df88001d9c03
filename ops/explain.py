"""The `explain` command: the whole life of one order, with the evidence of each step."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from decisions.halting import reason_in
from decisions.metrics import money
from decisions.order_story import open_quantity, spans_ns, what_next
from messages.exact import EXACT, NOTHING
from messages.orders import DuplicateFiltered, Fill, OrderUpdate
from messages.values import OrderState
from ops.exit_rests import followers
from ops.explain_text import lines_of
from ops.health_deep import one_line_kept
from ops.metric_lines import messages_about, metric_files
from ops.order_ends import end_of, first_in_short, waiting, waits
from ops.order_ends_text import lines_of_waiting
from ops.order_journal import OfJournal, of_journal, row_of_event
from ops.order_view import find_order, whole_row
from ops.run_files import LEDGER
from ops.run_state import run_state
from ops.stops import stop_row
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader
from persistence.transitions import Event


class Metrics(msgspec.Struct, frozen=True):
    """What the metric lines tell of an order."""

    are_kept: bool
    """Whether there are such files at all."""
    decision_to_claim_ns: int | None
    duplicates: tuple[dict[str, Any], ...]
    """When the same decision was made again, and the state it met; oldest first."""


def explain(run_dir: Path, name: str, *, as_json: bool) -> int:
    """Print an order's life and give the exit code.

    Raises:
        NotFound: no order, or several, bear this name.
        LedgerUnavailable: there is no ledger to read.
    """
    story = story_of(run_dir, name)
    if as_json:
        sys.stdout.write(json.dumps(story) + "\n")
    else:
        lines = lines_of(story) if "order" in story else lines_of_waiting(story["waits"])
        sys.stdout.writelines(f"{one_line_kept(line)}\n" for line in lines)
    return 0


def story_of(run_dir: Path, name: str) -> dict[str, Any]:
    """Give all of it as JSON has it: money as text, times in nanoseconds.

    Of a decision that waits for another order to end, `waits` alone: it is no order yet.
    """
    with LedgerReader(run_dir / LEDGER) as ledger:
        if (wish := waiting(name, ledger)) and wish.replacement and not ledger.named(name):
            return {"waits": waits(wish, wish.replacement)}
        key, state = find_order(ledger, name).order_key, run_state(run_dir)
        with ledger.one_moment():
            entry = ledger.lookup([key])[key]
            events, fills = ledger.events(key), ledger.fills(key)
            halted = reason_in(ledger.halt_reason())
            stop = ledger.stop_of(key)
            told = None if stop is None else stop_row(stop, ledger, state.stuck)
            followed_by = followers(entry, ledger)
            end, first = end_of(entry, ledger), first_in_short(entry, ledger)
        claimed_at_ns = events[0].at_ns if events else entry.updated_at_ns
        journal = of_journal(run_dir, entry, claimed_at_ns)
        checked = _checked(journal, run_dir, ledger, entry, claimed_at_ns)
    metrics = _metrics(run_dir, key)
    is_alive = state.is_alive
    return {
        "order": whole_row(entry),
        "stop": told,
        "replaces": first,
        "followed_by": followed_by,
        "end": end,
        "tick": row_of_event(journal),
        "journal_is_kept": journal.is_kept,
        "risk": _risk(events),
        "risk_check": checked,
        "decision_to_claim_ns": metrics.decision_to_claim_ns,
        "steps": _steps(events),
        "fills": [_fill(fill) for fill in fills],
        "open_quantity": str(open_quantity(entry)),
        "process_is_alive": is_alive,
        "next": what_next(
            entry.state,
            is_alive=is_alive,
            halted=halted,
            is_ending=end is not None and end["is_under_way"],
        ),
        "metrics_are_kept": metrics.are_kept,
        "duplicates_filtered": list(metrics.duplicates),
        **_filled(entry, fills),
    }


def _risk(events: Sequence[Event]) -> dict[str, Any]:
    first = events[0] if events else None
    is_refused = first is not None and first.to_state is OrderState.REFUSED
    return {
        "passed": None if first is None else not is_refused,
        "reason": first.reason if first is not None and is_refused else "",
    }


def _checked(
    journal: OfJournal,
    run_dir: Path,
    ledger: LedgerReader,
    entry: LedgerEntry,
    claimed_at_ns: int,
) -> dict[str, Any]:
    """Give the risk check's values: as they were judged by, or else recomputed."""
    if journal.risk is not None:
        return {"source": "journal", "note": "", **msgspec.to_builtins(journal.risk)}
    from ops.risk_recomputed import recomputed  # reads a config, which a journal makes needless

    found = recomputed(run_dir, ledger, entry, claimed_at_ns)
    view = {} if found.view is None else msgspec.to_builtins(found.view)
    return {"source": "ledger", "note": found.note, **view}


def _steps(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [
        {
            "at_ns": event.at_ns,
            "after_ns": after_ns,
            "from_state": event.from_state,
            "to_state": str(event.to_state),
            "reason": event.reason,
            "evidence": event.evidence,
        }
        for event, after_ns in zip(events, spans_ns(events), strict=True)
    ]


def _fill(fill: Fill) -> dict[str, Any]:
    return {
        "trade_id": fill.trade_id,
        "ts_event_ns": fill.ts_event_ns,
        "quantity": f"{fill.quantity:f}",
        "price": f"{fill.price:f}",
        "fee": f"{fill.fee:f}",
        "fee_currency": fill.fee_currency,
        "liquidity": str(fill.liquidity),
    }


def _filled(entry: LedgerEntry, fills: Sequence[Fill]) -> dict[str, Any]:
    known = sum((fill.quantity for fill in fills), start=NOTHING)
    return {"filled_without_executions": money(EXACT.subtract(entry.filled_quantity, known))}


def _metrics(run_dir: Path, key: str) -> Metrics:
    claim_ns: int | None = None
    duplicates = []
    for at_ns, message in messages_about(run_dir, key):
        if not isinstance(message, DuplicateFiltered | OrderUpdate) or message.order_key != key:
            continue
        if isinstance(message, DuplicateFiltered):
            duplicates.append({"at_ns": at_ns, "state": str(message.state)})
        elif message.claim_latency_ns is not None:
            claim_ns = message.claim_latency_ns
    return Metrics(bool(metric_files(run_dir)), claim_ns, tuple(duplicates))
