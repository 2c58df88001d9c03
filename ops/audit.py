"""The `audit` command: everything that must agree in a run directory, checked."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from decisions.audit import ahead_problem, run_totals, totals_problem
from exchanges.paper_reading import BookReader
from messages.errors import DataError, LedgerUnavailable
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from ops.audit_asking import Asking
from ops.audit_check import Check, held_none, why_behind
from ops.audit_journal import JournalAudit
from ops.audit_ledger import LedgerAudit
from ops.audit_metrics import MetricsAudit
from ops.audit_money import money_check
from ops.audit_venue import VenueAudit
from ops.health_text import one_line
from ops.run_files import LEDGER, METRICS_SUMMARY, PAPER_BOOK
from ops.run_state import RunState, read_object, run_state, trades_live
from persistence.reader import LedgerReader

_WALKS = 3
"""Of a living run: an order may be written behind a walk, never behind three."""


def audit(run_dir: Path, *, as_json: bool, asking: Asking) -> int:
    """Print a line per check; give 0 when all agree, 1 when something differs.

    `asking`: how the exchange may be asked, where the run traded at a real one.

    Raises:
        LedgerUnavailable: there is no ledger to check.
    """
    checks = list(audit_run(run_dir, asking))
    for check in checks:
        sys.stdout.writelines(f"{line}\n" for line in _lines(check, as_json=as_json))
    return EXIT_FAILED if any(check.differ for check in checks) else EXIT_OK


def audit_run(run_dir: Path, asking: Asking | None = None) -> Iterator[Check]:
    """Make every check; without `asking` those that the run directory is enough for.

    What was told is read before what it tells of, so that a living run is never behind.

    Raises:
        LedgerUnavailable: there is no ledger to check.
    """
    state = run_state(run_dir)
    summary = read_object(run_dir / METRICS_SUMMARY)
    files = Check("files", "the database finds nothing wrong with the files")
    with ExitStack() as stack:
        ledger = stack.enter_context(LedgerReader(run_dir / LEDGER))
        book = None
        if (run_dir / PAPER_BOOK).is_file():
            book = stack.enter_context(BookReader(run_dir / PAPER_BOOK))
        try:
            _check_files(files, ledger, book)
            walked, venue = _walk(ledger, book, is_alive=state.is_alive)
            totals = _summary(summary, walked, why_behind(state, ledger))
            money = money_check(summary, state, ledger)
            told = MetricsAudit(run_dir, summary, state).run(ledger)
            is_paper = book is not None
            recorded = JournalAudit(run_dir, summary, state, is_paper=is_paper).run(ledger)
            exchange = _exchange(run_dir, state, asking, ledger)
        except (LedgerUnavailable, DataError) as error:
            files.differs(str(error))
            yield files
            return
    yield files
    yield from walked.checks()
    yield from () if venue is None else (venue.once, venue.venue)
    yield totals
    yield money
    yield from told
    yield from recorded
    yield from exchange


def _exchange(
    run_dir: Path, state: RunState, asking: Asking | None, ledger: LedgerReader
) -> Sequence[Check]:
    """Ask the exchange of a run that traded at one, or say why it is not asked."""
    if asking is None or (run_dir / PAPER_BOOK).is_file():
        return ()
    if asking.config is None and not trades_live(run_dir):
        return ()
    from ops.audit_exchange import ExchangeAudit  # an exchange's client, which a paper run lacks

    audit = ExchangeAudit(run_dir, state, asking)
    audit.run(ledger)
    return list(audit.checks())


def _check_files(check: Check, ledger: LedgerReader, book: BookReader | None) -> None:
    check.see(LEDGER, "; ".join(ledger.problems()) or None)
    if book is not None:
        check.see(PAPER_BOOK, "; ".join(book.file_problems()) or None)


def _walk(
    ledger: LedgerReader, book: BookReader | None, *, is_alive: bool
) -> tuple[LedgerAudit, VenueAudit | None]:
    left = _WALKS if is_alive else 1
    while True:
        left -= 1
        venue = None if book is None else VenueAudit(ledger, book)
        if venue is not None:
            venue.explain()
        walked = LedgerAudit(ledger, venue)
        walked.run()
        if walked.sums_agree or not left:
            return walked, venue


def _summary(summary: dict[str, Any], walked: LedgerAudit, behind: str) -> Check:
    check = Check("run_totals", "the summary's run_totals are those of the orders")
    told = summary.get("run_totals")
    if not isinstance(told, dict):
        check.note = held_none(summary)
        return check
    counted = run_totals(walked.totals.states, walked.totals.filled)
    if behind:
        check.note = f"{behind}, it is not ahead"
        check.see("", ahead_problem(told, counted))
    else:
        check.see("", totals_problem(told, counted))
    return check


def _lines(check: Check, *, as_json: bool) -> Iterator[str]:
    if as_json:
        yield json.dumps(check.row())
        return
    verdict = "differs" if check.differ else "ok" if check.is_made else "unasked"
    how_many = f"{check.differ} of {check.checked}" if check.differ else f"{check.checked} checked"
    parts = [how_many] if check.is_made else []
    said = "; ".join([*parts, one_line(check.note)] if check.note else parts)
    yield f"{verdict:8}{check.name:13} {check.about} ({said})"
    yield from (f"          {one_line(example)}" for example in check.examples)
    if check.differ > len(check.examples):
        yield f"          and {check.differ - len(check.examples)} more"
