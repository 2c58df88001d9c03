"""Holds a real exchange against the ledger of a run that has ended. It is asked, and no more.

Nothing is sent, canceled or written, and no lease is taken: whoever trades the account meanwhile
goes on. What could not be asked is said in the note of the check, and is no difference.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from decisions.audit import AtVenue
from decisions.audit_exchange import (
    executions_problem,
    is_asked_alone,
    is_of_this_run,
    shown_problem,
)
from exchanges.ccxt_shown import ShownOrder, Wanted
from messages.errors import ConfigError, VenueError
from messages.ids import NS_PER_MS, ClientOrderId, Symbol
from messages.order_states import FINAL_STATES
from ops.audit_asking import Asking
from ops.audit_check import Check
from ops.exchange_look import Look, live_config_of, look_at
from ops.run_state import RunState
from persistence import statements as sql
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader

_FIRST_STEP = "SELECT at_ns FROM order_events ORDER BY order_key, number LIMIT 1"
_REASONS = 3
"""So many of the reasons for which something was not asked are told."""


class ExchangeAudit:
    """One question to the exchange, after everything else has been looked at."""

    def __init__(self, run_dir: Path, state: RunState, asking: Asking) -> None:
        self._run_dir, self._state, self._asking = run_dir, state, asking
        self.orders = Check("exchange", "the exchange shows the same orders, as far along")
        self.once = Check("exchange_ids", "each of our ids is there once, and in the ledger")
        self.fills = Check("executions", "the executions are those that the exchange lists")
        self._is_asked = False

    def checks(self) -> Iterator[Check]:
        """Give all that were made, or the one that says why none was."""
        yield from (self.orders, self.once, self.fills) if self._is_asked else (self.orders,)

    def run(self, ledger: LedgerReader) -> None:
        """Ask, and compare.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        if reason := self._why_not():
            return self._not_asked(reason)
        entries = list(islice(ledger.newest_orders(), self._asking.newest))
        try:
            config = live_config_of(self._run_dir, self._asking.config)
            wanted = _wanted(entries, config.traded_symbols)
            look = look_at(config, wanted)
        except (ConfigError, VenueError) as error:
            return self._not_asked(str(error))
        except TimeoutError:
            return self._not_asked("the exchange did not answer in time; audit again")
        self._is_asked = True
        there = _matched(entries, look.shown.orders.values())
        self._hold_orders(entries, there, look)
        self._hold_ids(ledger, look)
        self._hold_executions(ledger, entries, there, look)
        self._say_what(ledger, entries, look)
        return None

    def _why_not(self) -> str:
        if self._asking.is_offline:
            return "--offline"
        if self._state.is_alive:
            return "the run lives, and asks itself: see `watchkeeper account`, or audit its end"
        return ""

    def _not_asked(self, reason: str) -> None:
        self.orders.is_made = False
        self.orders.note = f"not asked: {reason}"

    # ------------------------------------------------------------ the checks

    def _hold_orders(
        self,
        entries: Sequence[LedgerEntry],
        there: Mapping[ClientOrderId, ShownOrder],
        look: Look,
    ) -> None:
        forgotten = 0
        for entry in entries:
            shown = there.get(entry.client_order_id)
            if shown is None and _may_be_forgotten(entry, look):
                forgotten += 1
            elif shown is not None or entry.client_order_id in look.shown.absent:
                self.orders.see(entry.order_key, _order_problem(entry, shown))
        if forgotten:
            self._note(self.orders, f"{forgotten} that the exchange need not show any more")

    def _hold_ids(self, ledger: LedgerReader, look: Look) -> None:
        named: dict[ClientOrderId, list[ShownOrder]] = defaultdict(list)
        for order in look.shown.orders.values():
            if look.capability.is_ours(order.client_order_id):
                named[order.client_order_id].append(order)
        known = _known(ledger, list(named))
        began_ns, others = self._began_ns(ledger), 0
        for name, orders in named.items():
            if len(orders) > 1:
                ids = ", ".join(sorted(one.venue_order_id for one in orders))
                self.once.see(name, f"is at the exchange {len(orders)} times ({ids})")
            elif name in known or self._is_of_this_run(orders[0], began_ns):
                self.once.see(name, None if name in known else _unknown(orders[0]))
            else:
                others += 1
        if others:
            text = f"{others} under ids of ours were placed before this run or after it"
            self._note(self.once, text)

    def _hold_executions(
        self,
        ledger: LedgerReader,
        entries: Sequence[LedgerEntry],
        there: Mapping[ClientOrderId, ShownOrder],
        look: Look,
    ) -> None:
        untold = 0
        for entry in entries:
            shown = there.get(entry.client_order_id)
            by_order = look.shown.executions.get(entry.symbol, {})
            if shown is None or shown.venue_order_id not in by_order:
                continue
            known = ledger.fills(entry.order_key)
            untold += not known
            told = by_order[shown.venue_order_id]
            if entry.state in FINAL_STATES:
                self.fills.see(entry.order_key, executions_problem(known, told))
        if untold:
            self._note(self.fills, f"of {untold} the ledger knows none, only how much is filled")

    def _say_what(self, ledger: LedgerReader, entries: Sequence[LedgerEntry], look: Look) -> None:
        in_all = sum(ledger.states().values())
        if in_all > len(entries):
            self._note(self.orders, f"the newest {len(entries)} of {in_all} orders")
        problems = look.shown.problems
        if problems:
            more = len(problems) - _REASONS
            text = "; ".join(problems[:_REASONS]) + (f"; and {more} more" if more > 0 else "")
            self._note(self.orders, f"not asked or not answered: {text}")

    def _note(self, check: Check, text: str) -> None:
        check.note = f"{check.note}; {text}" if check.note else text

    def _began_ns(self, ledger: LedgerReader) -> int:
        """Give when this run directory's first order was claimed, or its process began."""
        first = [int(at_ns) for (at_ns,) in ledger.rows(_FIRST_STEP)]
        return min([*first, self._state.started_at_ns or 2**62])

    def _is_of_this_run(self, order: ShownOrder, began_ns: int) -> bool:
        return is_of_this_run(order.placed_at_ns, began_ns, self._state.seen_at_ns)


def _wanted(
    entries: Sequence[LedgerEntry], symbols: Sequence[Symbol]
) -> dict[Symbol, list[Wanted]]:
    found: dict[Symbol, list[Wanted]] = {symbol: [] for symbol in symbols}
    for entry in entries:
        is_alone = is_asked_alone(entry.state)
        one = Wanted(entry.client_order_id, entry.venue_order_id, is_alone)
        found.setdefault(entry.symbol, []).append(one)
    return found


def _matched(
    entries: Sequence[LedgerEntry], shown: Iterable[ShownOrder]
) -> dict[ClientOrderId, ShownOrder]:
    """Give what is shown of each order: under the exchange's id for it first, then under ours."""
    by_name: dict[tuple[str, str], ShownOrder] = {}
    by_id: dict[tuple[str, str], ShownOrder] = {}
    for one in shown:
        by_name[one.symbol, one.client_order_id] = one
        by_id[one.symbol, one.venue_order_id] = one
    found: dict[ClientOrderId, ShownOrder] = {}
    for entry in entries:
        place = (entry.symbol, entry.client_order_id)
        same = by_id.get((entry.symbol, entry.venue_order_id or ""), by_name.get(place))
        if same is not None:
            found[entry.client_order_id] = same
    return found


def _order_problem(entry: LedgerEntry, shown: ShownOrder | None) -> str | None:
    if shown is None:
        return shown_problem(entry, None)
    if shown.client_order_id not in ("", entry.client_order_id):
        return f"its order {shown.venue_order_id} is {shown.client_order_id} at the exchange"
    if entry.venue_order_id not in (None, shown.venue_order_id):
        return f"it is order {entry.venue_order_id}, at the exchange {shown.venue_order_id}"
    there = AtVenue(shown.state, shown.filled_quantity, shown.symbol, shown.side, shown.quantity)
    return shown_problem(entry, there)


def _may_be_forgotten(entry: LedgerEntry, look: Look) -> bool:
    """Whether an order that is not shown may have been there all the same."""
    row = look.capability
    if entry.client_order_id not in look.shown.absent:
        return False
    if not row.proves_absence:
        return True
    kept_ms = row.finds_ended_for_ms
    age_ms = (time.time_ns() - entry.updated_at_ns) // NS_PER_MS
    return entry.state in FINAL_STATES and kept_ms is not None and age_ms > kept_ms


def _known(ledger: LedgerReader, names: Sequence[ClientOrderId]) -> set[ClientOrderId]:
    """Give those of these ids that the ledger has; a walk over its orders for some hundreds."""
    found: set[ClientOrderId] = set()
    for chunk in sql.chunks(names):
        rows = ledger.rows(sql.select_called(len(chunk)), tuple(chunk))
        found |= {sql.entry_of(row).client_order_id for row in rows}
    return found


def _unknown(order: ShownOrder) -> str:
    return (
        f"is at the exchange without a decision: {order.side} {order.quantity:f} {order.symbol},"
        f" {order.state}, order {order.venue_order_id}"
    )
