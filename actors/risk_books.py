"""What orders and executions change in the books: exposure, profit and loss, what stops protect.

One incarnation's, on the executor's thread. Profit and loss must survive a restart where a loss
limit is set, and lie in the ledger as a note, written with the executions that they come from.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal

import msgspec

from actors.open_orders import Move, OpenOrders
from actors.order_records import follow_open
from decisions.account import record
from decisions.risk import RiskLimits, RiskState, release, saw_fill, write_off
from decisions.risk_equity import (
    EquityBook,
    SidedFill,
    forgiven,
    is_at_risk,
    rebuild_equity,
)
from decisions.risk_exit import fees_in, taken_by_fees
from decisions.risk_state import not_ahead
from decisions.stop_book import StopBook
from messages.errors import ActorUnavailable, LedgerUnavailable
from messages.exact import EXACT, NOTHING
from messages.ids import StrategyId, Symbol, TimestampNs
from persistence.book import held_quantity
from persistence.entries import NO_NOTES
from persistence.ledger import Claim, Ledger

EQUITY = "equity"
"""The note under which the risk gate's profit and loss lie in the ledger."""


class RiskBooks:
    """`keeps_equity`: a loss limit is set. `keep` writes a note durably.

    `now_ns` gives our clock, by which a day ends; None where the market's own does that.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        risk: RiskState,
        orders: OpenOrders,
        stops: StopBook,
        keeps_equity: bool,
        keep: Callable[[Mapping[str, str]], object],
        now_ns: Callable[[], TimestampNs | None],
    ) -> None:
        self._ledger, self._risk, self._orders, self._stops = ledger, risk, orders, stops
        self._keeps_equity, self._keep, self._now_ns = keeps_equity, keep, now_ns
        self._kept = ""
        """What `keep_marks` has written last."""

    def recover(self) -> None:
        """Give the risk gate what the ledger holds for it."""
        for (strategy, symbol), fees in self._written_off().items():
            write_off(strategy, symbol, fees, self._risk)
        text = self._ledger.note(EQUITY)
        if not self._keeps_equity:
            if text:  # nobody keeps it up to date from now on
                self._keep({EQUITY: ""})
        elif text:
            self._risk.equity = msgspec.json.decode(text, type=EquityBook)
        else:
            self._risk.equity = rebuild_equity(self._all_fills())
        for entry in self._orders.being_asked_for():
            follow_open(entry, self._risk)
            self._orders.new_fills(entry.order_key, self._ledger.fills_of(entry.order_key))

    def _written_off(self) -> dict[tuple[StrategyId, Symbol], Decimal]:
        """Give what fees had taken of all exits that have filled, not of those that are open."""
        taken: dict[tuple[StrategyId, Symbol], Decimal] = {}
        if self._risk.open_orders is None or not self._risk.held_by:
            return taken  # a recording, where none is made smaller for them; or nothing is held
        for strategy, symbol, reason in self._ledger.fitted():
            place = strategy, symbol
            taken[place] = EXACT.add(taken.get(place, NOTHING), fees_in(reason))
        for entry in self._ledger.open_entries():
            if entry.decided_quantity is not None:
                place, fees = (entry.strategy_id, entry.symbol), fees_in(entry.reason)
                taken[place] = EXACT.subtract(taken.get(place, NOTHING), fees)
        return {place: fees for place, fees in taken.items() if fees}

    def _all_fills(self) -> dict[Symbol, list[SidedFill]]:
        """Read every execution there is, in the order of time, once a loss limit is new."""
        fills: dict[Symbol, list[SidedFill]] = {}
        now_ns = self._now_ns()
        for entry in self._ledger.entries():
            if entry.filled_quantity:
                known = self._ledger.fills_of(entry.order_key)
                sided_fills = [(entry.side, not_ahead(fill, now_ns)) for fill in known]
                fills.setdefault(entry.symbol, []).extend(sided_fills)
        for sided in fills.values():
            sided.sort(key=lambda one: one[1].ts_event_ns)
        return fills

    def count(self, moves: Sequence[Move], claims: Sequence[Claim]) -> Mapping[str, str]:
        """Count what is about to be committed; give what must be found again after a restart."""
        filled = False
        for move in moves:
            filled = self._count(move) or filled
        for claim in claims:
            if claim.refused is None:
                self._stops.claimed(claim.intent, claim.decided_quantity)
            else:
                self._stops.refused(claim.intent.order_key)
        return {EQUITY: self._equity_text()} if filled and self._keeps_equity else NO_NOTES

    def _count(self, move: Move) -> bool:
        """Say whether there are executions that were not known.

        What an order that ends will never fill is free again. Each fill counts once.
        """
        after = move.after
        freed = EXACT.subtract(held_quantity(move.before), held_quantity(after))
        if freed:
            release(after.symbol, after.side, freed, self._risk, after.strategy_id)
        if fees := EXACT.subtract(taken_by_fees(after), taken_by_fees(move.before)):
            write_off(after.strategy_id, after.symbol, fees, self._risk)
        self._stops.moved(after, move.fills)
        fresh = self._orders.new_fills(after.order_key, move.fills)
        for fill in fresh:
            if self._keeps_equity:
                saw_fill(
                    after.symbol,
                    after.side,
                    fill,
                    self._risk,
                    after.strategy_id,
                    self._now_ns(),
                )
            elif self._risk.flows is not None:
                record(after.symbol, after.side, fill, self._risk.flows, after.strategy_id)
        return bool(fresh)

    def keep_marks(self) -> None:
        """Write profit and loss, if marks have moved it: nothing but a restart asks for these."""
        if not self._keeps_equity or not is_at_risk(self._risk.equity):
            return
        if (text := self._equity_text()) != self._kept:
            self._keep({EQUITY: text})
            self._kept = text

    def end(self) -> None:
        """Write it once more in an orderly end; if that fails, it is as if the process had died."""
        with suppress(LedgerUnavailable, ActorUnavailable):
            self.keep_marks()

    def forgive_drawdown(
        self, limits: RiskLimits, write: Callable[[Mapping[str, str]], None]
    ) -> bool:
        """Begin the drawdown anew at a person's word, once it is written; False: it stops nothing.

        Raises:
            LedgerError: `write` could not; the drawdown is as it was.
        """
        after = forgiven(limits, self._risk.equity)
        if after is None:
            return False
        write({EQUITY: _text_of(after)})
        self._risk.equity = after
        return True

    def _equity_text(self) -> str:
        return _text_of(self._risk.equity)


def forgiveness(ledger: Ledger, limits: RiskLimits) -> Mapping[str, str]:
    """Give what begins a drawdown anew that stops a run without a process; else nothing."""
    try:
        book = msgspec.json.decode(ledger.note(EQUITY) or "{}", type=EquityBook)
    except msgspec.MsgspecError:  # who starts on it says so
        return NO_NOTES
    after = forgiven(limits, book)
    return NO_NOTES if after is None else {EQUITY: _text_of(after)}


def _text_of(equity: EquityBook) -> str:
    return msgspec.json.encode(equity).decode()
