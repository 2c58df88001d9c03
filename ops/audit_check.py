"""One check of an audit: what it looked at, what differs, and the first few differences."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ops.run_files import METRICS_SUMMARY
from ops.run_state import RunState
from persistence.audited import newest_step_ns
from persistence.reader import LedgerReader

EXAMPLES = 5


def held_none(summary: Mapping[str, Any]) -> str:
    """Say why nothing of a summary is compared."""
    return "the summary holds none" if summary else f"{METRICS_SUMMARY} is not there, or unreadable"


def why_behind(state: RunState, ledger: LedgerReader) -> str:
    """Say why a summary may be older than the ledger; empty where it is the last word of it.

    A halt without a process goes on where an orderly end left orders open.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """
    if not state.ended_in_order:
        return "the run lives, or did not end in order: the summary may be behind"
    if state.ended_at_ns is not None and newest_step_ns(ledger) > state.ended_at_ns:
        return "orders moved without a process since its end: the summary is behind"
    return ""


class Check(msgspec.Struct):
    """Filled in while the audit walks; bounded however much differs."""

    name: str
    about: str
    """What holds when it is ok, for a person."""
    checked: int = 0
    differ: int = 0
    examples: list[str] = []
    note: str = ""
    is_made: bool = True
    """False: nothing was looked at, for what the note says. That is no difference."""

    def see(self, subject: str, problem: str | None) -> None:
        """Count one thing that was looked at."""
        self.checked += 1
        if problem is not None:
            self.differs(f"{subject}: {problem}" if subject else problem)

    def differs(self, example: str) -> None:
        """Count a difference."""
        self.differ += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)

    def row(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "check": self.name,
            "ok": not self.differ,
            "made": self.is_made,
            "checked": self.checked,
            "differences": self.differ,
            "examples": self.examples,
            "note": self.note,
        }
