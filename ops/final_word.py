"""The verdict at the end of a run: what was earned, what was sent, and that nothing doubled."""

from pathlib import Path
from typing import Any

from decisions.dropped_rows import dropped_text
from decisions.metrics import money as exact
from decisions.money_fold import MoneyFold
from decisions.spoken import spoken_money
from exchanges.paper_book import read_book
from messages.errors import WatchkeeperError
from ops.config import Config, FeedType
from ops.gaps_text import gaps_text
from ops.run_files import typed
from ops.snapshot import Snapshots
from persistence.ledger import read_orders

_REASONS = 3
"""So many are told to a person."""


def final_word(snapshots: Snapshots, config: Config, reason: str, code: int) -> dict[str, Any]:
    """Give the figures of the end; `doubled` compares the venue's book with the ledger.

    `profit` is what came since this process began, `profit_since_beginning` that of the whole run
    directory; null while, or if, what earlier processes executed could not be read. `why_nothing`
    says it of each strategy where nothing was filled.
    """
    counters = snapshots.take()["counters"]
    return {
        "reason": reason,
        "exit_code": code,
        "counters": counters,
        "rejects_by_reason": snapshots.refusals(),
        "dropped": snapshots.dropped(),
        "gaps": snapshots.gaps(),
        "why_nothing": {} if counters["filled"] else snapshots.why_nothing(),
        "profit": _since_start(snapshots.money),
        "profit_since_beginning": _since_beginning(snapshots.money),
        "other_fees": _other_fees(snapshots.money),
        "restarts": snapshots.restarts(),
        "left": snapshots.left,
        "venue": against_venue(config.run_dir),
        "run_dir": str(config.run_dir),
    }


def is_demonstration(config: Config) -> bool:
    """Whether it is the project's own market, or its own strategies alone, that earned."""
    is_ours = all(":" not in strategy.uses for strategy in config.strategies)
    return is_ours or config.feed.type is FeedType.DEMO


def verdict_lines(word: dict[str, Any], *, is_demonstration: bool) -> list[str]:
    """Give the six lines that a person reads at the end; more of what is left or was missing."""
    counters = word["counters"]
    profit, of_all = _amounts(word["profit"]), word["profit_since_beginning"]
    if of_all is None:
        profit += " in this process"
    elif of_all != word["profit"]:
        profit += f" since this start, {_amounts(of_all)} since the run directory's beginning"
    if word["other_fees"]:
        profit += f", less fees in coins of no known price, {_amounts(word['other_fees'])} in all"
    nothing = [f"No fill: {name}: {why}." for name, why in word["why_nothing"].items()]
    return [
        f"Ended: {word['reason']}.",
        f"Market: {counters['processed']} events processed.",
        *(f"Data: {dropped_text(one)}." for one in word["dropped"].values()),
        *(f"Data: {gaps_text(one)}." for one in word["gaps"].values()),
        f"Decisions: {counters['allowed']} sent, {counters['rejected']} refused"
        f"{_by_reason(word['rejects_by_reason'])}, "
        f"{counters['dupes_filtered']} duplicates filtered, {counters['filled']} filled.",
        *nothing,
        f"Profit net of fees: {profit}{' (a demonstration; no edge claimed)' * is_demonstration}.",
        f"Survived: {_crashes(word)}; {proof_of(word['venue'])}.",
        *(f"Left open: {text}." for text in (word["left"] or {}).get("texts", ())),
        f"Files: {word['run_dir']} (try: watchkeeper orders --run-dir {typed(word['run_dir'])}).",
    ]


def proof_of(venue: dict[str, int] | None) -> str:
    """Say what `against_venue` counted, for a person."""
    if venue is None:
        return "the venue's book could not be compared"
    return (
        f"{venue['orders']} orders at the venue, {venue['doubled']} doubled, "
        f"{venue['unexplained']} without a decision"
    )


def _crashes(word: dict[str, Any]) -> str:
    """Say how often something broke, and how many actors that took: some go down with another."""
    crashes, restarts = word["counters"]["errors"], word["restarts"]
    told = f"{crashes} crash" if crashes == 1 else f"{crashes} crashes"
    if not restarts:
        return told
    return f"{told} ({restarts} {'actor was' if restarts == 1 else 'actors were'} started again)"


def _by_reason(refused: dict[str, int]) -> str:
    most = sorted(refused.items(), key=lambda one: (-one[1], one[0]))[:_REASONS]
    return f" ({', '.join(f'{reason} {count}' for reason, count in most)})" if most else ""


def _amounts(profit: dict[str, str]) -> str:
    return ", ".join(f"{amount} {quote}" for quote, amount in profit.items()) or "0"


def _since_start(money: MoneyFold) -> dict[str, str]:
    return {quote: spoken_money(money.since_start(quote)) for quote in money.portfolio.quotes()}


def _since_beginning(money: MoneyFold) -> dict[str, str] | None:
    if not money.is_whole:
        return None
    portfolio = money.portfolio
    return {quote: spoken_money(portfolio.equity(quote)) for quote in portfolio.quotes()}


def _other_fees(money: MoneyFold) -> dict[str, str]:
    return {name: exact(fee) for name, fee in sorted(money.portfolio.other_fees.items())}


def against_venue(run_dir: Path) -> dict[str, int] | None:
    """Count the venue's orders, and how many the ledger has no sent decision for.

    Also while the run goes on: the book is read first, and of what is in it the claim was there
    before. None where one of them cannot be read.
    """
    try:
        book = [row.client_order_id for row in read_book(run_dir / "paper.db")]
        decided = {entry.client_order_id for entry in read_orders(run_dir / "ledger.db")}
    except (WatchkeeperError, OSError):
        return None
    return {
        "orders": len(book),
        "doubled": len(book) - len(set(book)),
        "unexplained": len(set(book) - decided),
    }
