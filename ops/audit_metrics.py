"""Holds what metrics tell against the ledger and against themselves."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from messages.ids import EXECUTOR, OrderKey
from ops.audit_check import Check, held_none
from ops.metric_lines import all_lines
from ops.run_state import RunState
from persistence.reader import LedgerReader

_CLAIM = b'"stage":"claim"'
_TRACE_ID = re.compile(rb'"trace_id":"([^"]*)"')
_AT = re.compile(rb'"at_ns":(\d{1,19})')
_TOGETHER = 500
_ORDERS = "SELECT count(*) FROM orders"
_BEGUN_SINCE = "SELECT count(*) FROM order_history WHERE number = 1 AND at_ns >= ?"


class MetricsAudit:
    """`summary` was read before the ledger is, so that a living run is never behind."""

    def __init__(self, run_dir: Path, summary: Mapping[str, Any], state: RunState) -> None:
        self._run_dir, self._summary, self._state = run_dir, summary, state
        self.stages = Check("stages", "the summary's stages are those of the decisions")
        self.lines = Check("lines", "every claim in metrics.ndjson is an order of the ledger")

    def run(self, ledger: LedgerReader) -> tuple[Check, Check]:
        """Make both checks.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        self._check_stages(ledger)
        self._check_lines(ledger)
        return self.stages, self.lines

    # ------------------------------------------------------------ the summary

    def _check_stages(self, ledger: LedgerReader) -> None:
        if "stages" not in self._summary or "started_at_ns" not in self._summary:
            self.stages.note = held_none(self._summary)
        elif not self._state.ended_in_order:
            self.stages.note = "the run lives, or did not end in order: some may be on their way"
        elif self._was_restarted():
            self.stages.note = "the executor was restarted: it judged some decisions twice"
        elif self._number("stages", "claim", "count") is not None:
            for subject, told, counted in self._pairs(ledger):
                problem = None if told == counted else f"{told} is told, it makes {counted}"
                self.stages.see(subject, problem)

    def _pairs(self, ledger: LedgerReader) -> Iterator[tuple[str, object, object]]:
        claims = self._number("stages", "claim", "count")
        decided = self._number("latency_ns", "decision_to_claim", "count")
        yield "claims, by the decisions that were recorded", claims, decided
        risk = self._counts("outcomes_by_stage", "risk")
        yield "duplicates", risk.get("duplicate", 0), self._number("dupes_filtered")
        fills = self._counts("outcomes_by_stage", "fill")
        yield "fills", fills.get("ok", 0), self._number("filled")
        yield "claims, by the ledger since this process began", claims, self._begun(ledger)

    def _begun(self, ledger: LedgerReader) -> int:
        """Count by what was there before: a clock that was set meanwhile is not asked."""
        before = self._number("earlier", "orders")
        if before is not None:
            ((orders,),) = ledger.rows(_ORDERS)
            return int(orders) - before
        ((begun,),) = ledger.rows(_BEGUN_SINCE, (self._number("started_at_ns"),))
        return int(begun)

    def _was_restarted(self) -> bool:
        restarts = self._summary.get("restarts")
        return isinstance(restarts, Mapping) and EXECUTOR in restarts

    def _number(self, *path: str) -> int | None:
        found: Any = self._summary
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, int) else None

    def _counts(self, *path: str) -> Mapping[str, Any]:
        found: Any = self._summary
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    # ------------------------------------------------------------ the lines

    def _check_lines(self, ledger: LedgerReader) -> None:
        """Look each claim up; where all lines of this process are kept, count them too."""
        started_ns = self._number("started_at_ns") or 0
        lines, claims, keys = 0, 0, list[OrderKey]()
        for line in all_lines(self._run_dir):
            at = _AT.search(line)
            is_of_this_process = at is not None and int(at[1]) >= started_ns
            lines += is_of_this_process
            if _CLAIM not in line:
                continue
            trace_id = _TRACE_ID.search(line)
            if trace_id is not None:
                keys.append(OrderKey(trace_id[1].decode(errors="replace")))
                claims += is_of_this_process
            if len(keys) >= _TOGETHER:
                self._look_up(ledger, keys)
                keys = []
        self._look_up(ledger, keys)
        self._count(claims, is_whole=lines == self._number("metrics", "lines"))

    def _look_up(self, ledger: LedgerReader, keys: list[OrderKey]) -> None:
        known = ledger.lookup(list(dict.fromkeys(keys))) if keys else {}
        for key in keys:
            self.lines.see(key, None if key in known else "has a line and is no order")

    def _count(self, found: int, *, is_whole: bool) -> None:
        dropped = self._number("metrics", "dropped_lines")
        if not self._state.ended_in_order or dropped != 0 or not is_whole:
            if self.lines.checked:
                self.lines.note = "not all lines of this process are there, or could be"
            return
        told = self._number("stages", "claim", "count")
        problem = None if found == told else f"{found} lines are there of {told} claims"
        self.lines.see("", problem)
