"""The part of the ledger that is kept in memory: open orders and running totals.

It only ever follows the disk: changes are put in after their commit.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol, Symbol
from messages.order_states import FINAL_STATES, OPEN_STATES
from messages.values import BUY
from persistence.entries import LedgerEntry
from persistence.transitions import Taken


class Book:
    """Open orders by key, with what is filled and what may yet be, per strategy and symbol."""

    def __init__(self) -> None:
        self.open: dict[OrderKey, LedgerEntry] = {}
        self.filled: dict[StrategySymbol, Decimal] = {}
        self._exposure: dict[StrategySymbol, Decimal] = {}

    def load(
        self, filled: Mapping[StrategySymbol, Decimal], open_entries: Iterable[LedgerEntry]
    ) -> None:
        """Begin with what the disk holds: the fills of all orders, and the open orders."""
        self.filled.update(filled)
        self._exposure.update(filled)
        for entry in open_entries:
            self.open[entry.order_key] = entry
            _add(self._exposure, entry, EXACT.subtract(_held(entry), _signed_filled(entry)))

    def claim(self, entries: Iterable[LedgerEntry]) -> None:
        """Take in orders that were not there before."""
        for entry in entries:
            if entry.state not in FINAL_STATES:
                self.open[entry.order_key] = entry
                _add(self._exposure, entry, _held(entry))

    def update(
        self,
        before: Mapping[OrderKey, LedgerEntry],
        changed: Mapping[OrderKey, LedgerEntry],
        filled: Mapping[StrategySymbol, Decimal],
    ) -> None:
        """Take in orders that moved, with what `filled_after` gave for them."""
        for key, entry in changed.items():
            _add(self._exposure, entry, EXACT.subtract(_held(entry), _held(before[key])))
            if entry.state in FINAL_STATES:
                self.open.pop(key, None)
            else:
                self.open[key] = entry
        self.filled.update(filled)

    def filled_after(self, steps: Iterable[Taken]) -> dict[StrategySymbol, Decimal]:
        """Give the totals that these steps will touch, as they will be after all of them."""
        totals: dict[StrategySymbol, Decimal] = {}
        for step in steps:
            before, after = step.before, step.after
            if after.filled_quantity != before.filled_quantity:
                place = (after.strategy_id, after.symbol)
                totals.setdefault(place, self.filled.get(place, NOTHING))
                more = EXACT.subtract(_signed_filled(after), _signed_filled(before))
                totals[place] = EXACT.add(totals[place], more)
        return totals

    def strategy_exposure(self) -> dict[StrategySymbol, Decimal]:
        """Give what is not zero."""
        return {place: held for place, held in self._exposure.items() if held}

    def exposure(self) -> dict[Symbol, Decimal]:
        """Give what is not zero, over all strategies."""
        totals: dict[Symbol, Decimal] = {}
        for (_, symbol), held in self._exposure.items():
            totals[symbol] = EXACT.add(totals.get(symbol, NOTHING), held)
        return {symbol: held for symbol, held in totals.items() if held}


def held_quantity(entry: LedgerEntry) -> Decimal:
    """Give what the order did or may yet do to the position, unsigned.

    One that is proved absent is sent again or refused: until then its place is taken.
    """
    return entry.quantity if entry.state in OPEN_STATES else entry.filled_quantity


def _held(entry: LedgerEntry) -> Decimal:
    quantity = held_quantity(entry)
    return quantity if entry.side is BUY else quantity.copy_negate()


def _signed_filled(entry: LedgerEntry) -> Decimal:
    quantity = entry.filled_quantity
    return quantity if entry.side is BUY else quantity.copy_negate()


def _add(totals: dict[StrategySymbol, Decimal], entry: LedgerEntry, more: Decimal) -> None:
    place = (entry.strategy_id, entry.symbol)
    totals[place] = EXACT.add(totals.get(place, NOTHING), more)
