"""A run directory's executions, in the order in which they came about, as its ledger tells it."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from decisions.order_keys import moment_in, ordinal_of
from decisions.round_trips import Executed
from messages.errors import LedgerUnavailable
from messages.exact import is_sane, is_sane_signed
from messages.ids import OrderKey, Symbol
from ops.run_files import LEDGER
from persistence.lives import all_executions
from persistence.reader import Execution, LedgerReader

_LATEST_NS = 8 * 10**18
"""In the year 2223: what a ledger has after it, nothing of ours wrote."""


def executions_of(run_dir: Path) -> tuple[list[Executed], int]:
    """Give them in the order of time, and how many have no place in it.

    Those of one moment, as all of a candle are, stand in the order in which their orders were
    decided, for a venue goes through them so; which one is a trade's entry hangs on it.

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
        places = _places(ledger, found)

    def place(one: Execution) -> tuple[int, str, str, int, str, int, str]:
        key, trade_id = one.order_key, one.fill.trade_id
        decided = moment_in(key), places.get(key, -1), key
        return one.fill.ts_event_ns, one.symbol, *decided, len(trade_id), trade_id

    found.sort(key=place)
    return [
        Executed(one.fill.ts_event_ns, one.strategy_id, one.symbol, one.side, one.fill, one.reason)
        for one in found
    ], len(sane) - len(found)


def _places(ledger: LedgerReader, executions: Iterable[Execution]) -> dict[OrderKey, int]:
    """Give which of its moment's decisions an order was, where another's stands beside it.

    What a stop decides is none of them, and is decided before them.
    """
    together = defaultdict[tuple[int, Symbol, str], set[OrderKey]](set)
    for one in executions:
        moment = one.fill.ts_event_ns, one.symbol, moment_in(one.order_key)
        together[moment].add(one.order_key)
    asked = {key for keys in together.values() if len(keys) > 1 for key in keys}
    try:
        places = {
            key: ordinal_of(key, one.account, one.strategy_id, one.symbol, one.decided_at_ns)
            for key, one in ledger.lookup(sorted(asked)).items()
        }
    except (LedgerUnavailable, TypeError, ValueError):
        return {}  # an order that means nothing is no reason to tell of none
    return {key: place for key, place in places.items() if place is not None}
