"""What the summary tells of a run directory since its beginning, read from its ledger."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from decisions.audit import run_totals
from messages.errors import LedgerUnavailable
from messages.ids import OrderKey
from persistence.reader import LedgerReader

Describe = Callable[[], dict[str, Any]]


def with_run_totals(describe: Describe, ledger_path: Path) -> Describe:
    """Add `run_totals` to what the summary is given; null where there is no ledger.

    It costs two milliseconds however many orders there are: ended ones are counted when they
    end. Called on any thread; it opens and closes a reader of its own.
    """

    def describe_all() -> dict[str, Any]:
        return {**describe(), "run_totals": totals_of(ledger_path)}

    return describe_all


def totals_of(ledger_path: Path) -> dict[str, Any] | None:
    """Give the totals as of one moment; None where there is no ledger that can be read."""
    try:
        with LedgerReader(ledger_path) as ledger, ledger.one_moment():
            filled = {place: Decimal(text) for place, text in ledger.positions().items()}
            return run_totals(ledger.states(), filled)
    except LedgerUnavailable:
        return None


def open_keys(ledger_path: Path) -> set[OrderKey]:
    """Give the orders that have not ended; none where there is no ledger that can be read."""
    try:
        with LedgerReader(ledger_path) as ledger:
            return ledger.open_keys()
    except LedgerUnavailable:
        return set()
