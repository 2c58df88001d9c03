"""What the summary says that only the process knows: its actors, its ledger, when it began."""

from collections.abc import Callable
from typing import Any

from actors.cell import Cell
from actors.hops import outcomes
from actors.runtime import Runtime

Describe = Callable[[], dict[str, Any]]


def describer(runtime: Runtime) -> Describe:
    """Give what reads the cells, on any thread."""
    started_at_ns = runtime.clock.utc_ns()

    def describe() -> dict[str, Any]:
        cells = sorted(runtime.cells.copy().items())
        return {
            "actors": {path: _actor(runtime, cell) for path, cell in cells},
            "started_at_ns": started_at_ns,
        }

    return describe


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
