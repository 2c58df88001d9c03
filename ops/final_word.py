"""The verdict at the end of a run: what was earned, what was sent, and that nothing doubled."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from exchanges.paper_book import read_book
from messages.errors import WatchkeeperError
from ops.config import Config
from ops.snapshot import Snapshots
from persistence.ledger import read_orders


def final_word(snapshots: Snapshots, config: Config, reason: str, code: int) -> dict[str, Any]:
    """Give the figures of the end; `doubled` compares the venue's book with the ledger."""
    return {
        "reason": reason,
        "exit_code": code,
        "counters": snapshots.take()["counters"],
        "profit": _profit(snapshots),
        "restarts": snapshots.restarts(),
        "venue": _against_venue(config.run_dir),
        "run_dir": str(config.run_dir),
    }


def verdict_lines(word: dict[str, Any]) -> list[str]:
    """Give the six lines that a person reads at the end."""
    counters, venue = word["counters"], word["venue"]
    profit = ", ".join(f"{amount} {quote}" for quote, amount in word["profit"].items()) or "0"
    proof = "the venue's book could not be compared"
    if venue is not None:
        proof = (
            f"{venue['orders']} orders at the venue, {venue['doubled']} doubled, "
            f"{venue['unexplained']} without a decision"
        )
    return [
        f"Ended: {word['reason']}.",
        f"Market: {counters['processed']} events processed.",
        f"Decisions: {counters['allowed']} sent, {counters['rejected']} refused, "
        f"{counters['dupes_filtered']} duplicates filtered, {counters['filled']} filled.",
        f"Profit net of fees: {profit} (a demonstration; no edge claimed).",
        f"Survived: {word['restarts']} restarts; {proof}.",
        f"Files: {word['run_dir']} (try: watchkeeper orders --run-dir {word['run_dir']}).",
    ]


def _profit(snapshots: Snapshots) -> dict[str, str]:
    totals: dict[str, Decimal] = {}
    for symbol, holding in snapshots.portfolio.holdings.items():
        quote = symbol.partition("/")[2]
        totals[quote] = totals.get(quote, Decimal(0)) + holding.profit
    return {quote: f"{amount:.2f}" for quote, amount in totals.items()}


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
