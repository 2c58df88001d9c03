"""What the summary says that only the process knows: its actors, its ledger, when it began."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from actors.cell import Cell
from actors.hops import outcomes
from actors.runtime import Runtime
from decisions.ledger_figures import LedgerFigures
from persistence.ledger import Ledger, SqliteLedger
from persistence.log_room import log_of
from persistence.measured_ledger import MeasuredLedger
from persistence.postgres.ledger import MeasuredPostgresLedger, PostgresLedger

Describe = Callable[[], dict[str, Any]]


def measured(
    open_ledger: Callable[[], Ledger], figures: LedgerFigures, now_ns: Callable[[], int]
) -> Callable[[], Ledger]:
    """Have a ledger on disk measured by the runtime's clock; any other is opened as it is."""
    if not isinstance(open_ledger, partial):
        return open_ledger
    measured_by: Any = None
    if open_ledger.func is SqliteLedger:
        measured_by = MeasuredLedger
    elif open_ledger.func is PostgresLedger:
        measured_by = MeasuredPostgresLedger
    if measured_by is None:
        return open_ledger
    arguments, named = open_ledger.args, open_ledger.keywords
    return partial(measured_by, *arguments, **named, figures=figures, now_ns=now_ns)


def describer(
    runtime: Runtime, ledger: Path | None = None, figures: LedgerFigures | None = None
) -> Describe:
    """Give what reads the cells and the ledger's figures, on any thread."""
    started_at_ns = runtime.clock.utc_ns()

    def describe() -> dict[str, Any]:
        cells = sorted(runtime.cells.copy().items())
        return {
            "actors": {path: _actor(runtime, cell) for path, cell in cells},
            "ledger": None if figures is None else figures.summary(wal_bytes(ledger)),
            "started_at_ns": started_at_ns,
        }

    return describe


def wal_bytes(ledger: Path | None) -> int:
    """Give how long a ledger's write-ahead log is now."""
    try:
        return 0 if ledger is None else log_of(ledger).stat().st_size
    except OSError:
        return 0


def _actor(runtime: Runtime, cell: Cell) -> dict[str, Any]:
    processed, letters = cell.processed, runtime.dead_letters
    told: dict[str, Any] = {
        "capacity": cell.mailbox.capacity,
        "dead_letters": letters.count(cell.path),
        "high_water": cell.mailbox.high_water,
        "mailbox": cell.mailbox.depth(),
        "processed": processed,
        "restarts": cell.restarts,
        **cell.latency.summary(),
    }
    if cell.hops is not None:
        told["outcomes"] = outcomes(processed, cell.hops, letters.reasons(cell.path))
        told["wait_ns"] = cell.hops.waits.summary()
    return dict(sorted(told.items()))
