"""One check of an audit: what it looked at, what differs, and the first few differences."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ops.run_files import METRICS_SUMMARY

EXAMPLES = 5


def held_none(summary: Mapping[str, Any]) -> str:
    """Say why nothing of a summary is compared."""
    return "the summary holds none" if summary else f"{METRICS_SUMMARY} is not there, or unreadable"


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
