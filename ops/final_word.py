"""The verdict at the end of a run: what was earned, what was sent, and that nothing doubled."""

from pathlib import Path
from typing import Any

from exchanges.paper_book import read_book
from messages.errors import WatchkeeperError
from ops.config import Config
from ops.snapshot import Snapshots
from persistence.ledger import read_orders


def final_word(
    snapshots: Snapshots, config: Config, reason: str, code: int
) -> dict[str, Any]:
    """Give the figures of the end; `doubled` compares the venue's book with the ledger."""
    summary = snapshots._system.fold.summary()  # noqa: SLF001
    return {
        "reason": reason,
        "exit_code": code,
        "counters": snapshots.take()["counters"],
        "pnl": summary.get("pnl", {}),
        "restarts": sum(c.restarts for c in snapshots._system.runtime.cells.values()),  # noqa: SLF001
        "venue": _against_venue(config.run_dir),
        "run_dir": str(config.run_dir),
    }


def _against_venue(run_dir: Path) -> dict[str, int] | None:
    """Count the venue's orders, and how many the ledger has no sent decision for."""
    try:
        decided = {entry.client_order_id for entry in read_orders(run_dir / "ledger.db")}
        book = [row.client_order_id for row in read_book(run_dir / "paper.db")]
    except (WatchkeeperError, OSError):
        return None
    return {
        "orders": len(book),
        "doubled": len(book) - len(set(book)),
        "unexplained": len(set(book) - decided),
    }
