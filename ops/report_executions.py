"""A run directory's executions, in the order in which they came about, as its ledger tells it."""

from pathlib import Path

from decisions.round_trips import Executed
from messages.exact import is_sane, is_sane_signed
from ops.decided_order import in_decided_order, moment_of
from ops.run_files import LEDGER
from persistence.lives import all_executions
from persistence.reader import LedgerReader

_LATEST_NS = 8 * 10**18
"""In the year 2223: what a ledger has after it, nothing of ours wrote."""


def executions_of(run_dir: Path) -> tuple[list[Executed], int]:
    """Give them in the order of time, and how many have no place in it.

    Those of one moment stand as they were decided; see `ops.decided_order`.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """
    with LedgerReader(run_dir / LEDGER) as ledger:
        sane = [
            one
            for one in all_executions(ledger)
            if is_sane(one.fill.price)
            and is_sane(one.fill.quantity)
            and is_sane_signed(one.fill.fee)
        ]
    found = [one for one in sane if 0 < one.fill.ts_event_ns < _LATEST_NS]
    found.sort(key=moment_of)
    return [
        Executed(one.fill.ts_event_ns, one.strategy_id, one.symbol, one.side, one.fill, one.reason)
        for one in in_decided_order(found)
    ], len(sane) - len(found)
