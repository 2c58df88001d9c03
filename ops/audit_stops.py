"""Holds the stops that a ledger keeps against their entries, their exits and the positions."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from decisions.audit_stops import exit_problem, protected_entry, stop_problem, unheld
from decisions.risk_exit import fees_in
from messages.errors import LedgerUnavailable
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol
from messages.stops import Stop, StopState
from messages.values import OrderState
from ops.audit_check import Check
from persistence.entries import LedgerEntry
from persistence.reader import LedgerReader
from persistence.stop_rows import SELECT_AFTER, SELECT_STOP, Row, stop_in

_PAGE = 500


class StopAudit:
    """Told of every order on the way; then it walks over the stops."""

    def __init__(self, ledger: LedgerReader) -> None:
        self._ledger = ledger
        self._fees: dict[StrategySymbol, Decimal] = {}
        self.stops = Check("stops", "each stop is explained by its entry, its exits, its position")

    def add(self, entry: LedgerEntry) -> None:
        """Count what fees have taken of a position, by what an exit says that they left."""
        if entry.decided_quantity is not None and entry.state is OrderState.FILLED:
            place, sign = (entry.strategy_id, entry.symbol), Decimal(entry.side.sign)
            before = self._fees.get(place, NOTHING)
            self._fees[place] = EXACT.fma(sign, fees_in(entry.reason), before)

    def explain(self, entries: Sequence[LedgerEntry]) -> None:
        """Hold orders that say which entry they protect against its stop; read after them."""
        for entry in entries:
            protects = protected_entry(entry)
            if protects is None:
                continue
            stops = self._readable(self._ledger.rows(SELECT_STOP, (protects,)))
            if problem := exit_problem(entry, {stop.entry_key: stop for stop in stops}):
                self.stops.differs(f"{entry.order_key}: {problem}")

    def run(self, filled: Mapping[StrategySymbol, Decimal]) -> None:
        """Walk, in one moment with the sums of what was filled."""
        held = dict(filled)
        for place, fees in self._fees.items():
            held[place] = EXACT.add(held.get(place, NOTHING), fees)
        kept: list[Stop] = []
        orders: dict[OrderKey, LedgerEntry] = {}
        after = OrderKey("")
        while rows := self._ledger.rows(SELECT_AFTER, (after, _PAGE)):
            after = OrderKey(rows[-1][0])
            stops = self._readable(rows, say=True)
            known = self._ledger.lookup([key for s in stops for key in (s.entry_key, *s.exits)])
            for stop in stops:
                self.stops.see(stop.entry_key, stop_problem(stop, known))
                if stop.state is not StopState.DONE:
                    kept.append(stop)
                    mine = (stop.entry_key, *stop.exits)
                    orders |= {key: known[key] for key in mine if key in known}
        for where, problem in unheld(kept, orders, held):
            self.stops.differs(f"{where}: {problem}")

    def _readable(self, rows: Sequence[Row], *, say: bool = False) -> list[Stop]:
        stops = []
        for row in rows:
            try:
                stops.append(stop_in(row))
            except LedgerUnavailable as error:
                if say:
                    self.stops.checked += 1
                    self.stops.differs(str(error))
        return stops
