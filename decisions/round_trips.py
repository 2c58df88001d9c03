"""From executions to trades: from flat until flat again, by strategy and symbol. Pure, in Decimal.

A turn from long to short ends one trade and begins another with the rest of the same execution. A
rest of at most half a percent of the most that was held counts as flat, for a fee taken in the base
currency leaves one: it goes over to the next trade at the last price, so that no money is lost
between the two. What is open at the end is valued at the last price, and is no trade that ended.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext
from typing import NamedTuple

import msgspec

from messages.exact import EXACT, NOTHING
from messages.ids import StrategyId, Symbol, base_of, quote_of
from messages.orders import Fill
from messages.values import Side

_REST = Decimal("0.005")


class Executed(NamedTuple):
    """When on the market's clock, by whom, of what, and why."""

    ts_ns: int
    strategy: StrategyId
    symbol: Symbol
    side: Side
    fill: Fill
    reason: str = ""
    """Of the decision: its order's."""


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """One trade. Amounts are in the quote currency, quantities in the base currency."""

    number: int
    """From 1, by when it was opened."""
    strategy: StrategyId
    symbol: Symbol
    side: Side
    """BUY for a long one."""
    quantity: Decimal
    """The most that was held."""
    entry: Decimal
    """Average price of what opened it, fees left out."""
    exit: Decimal
    """Average price of what closed it; the last price where nothing has."""
    opened_ns: int
    closed_ns: int | None
    """None: it is open."""
    profit: Decimal
    """All fees paid; of an open one, at the last price."""
    fees: Decimal
    executions: int
    entry_reason: str
    """Of the order that opened it."""
    exit_reason: str
    """Of the order that closed it; empty while it is open."""

    @property
    def share(self) -> float:
        """Give the profit as a part of what the most that was held cost."""
        cost = self.quantity * self.entry
        return float(self.profit / cost) if cost else 0.0


class _Trip(msgspec.Struct, kw_only=True):
    """One that is open."""

    number: int
    opened_ns: int
    side: Side
    held: Decimal = NOTHING
    """Unsigned."""
    most: Decimal = NOTHING
    cash: Decimal = NOTHING
    fees: Decimal = NOTHING
    opened: Decimal = NOTHING
    opened_value: Decimal = NOTHING
    closed: Decimal = NOTHING
    closed_value: Decimal = NOTHING
    executions: int = 0
    entry_reason: str


class RoundTrips:
    """Takes executions in the order of time."""

    def __init__(self) -> None:
        self.ended: list[RoundTrip] = []
        self.begun = 0
        """So many trades were opened; the number of the last one."""
        self._open: dict[tuple[StrategyId, Symbol], _Trip] = {}
        self._rest: dict[tuple[StrategyId, Symbol], tuple[Decimal, Decimal]] = {}
        """Signed quantity that was left over, and the price it was left at."""

    def take(self, executed: Executed) -> int:
        """Count one execution; give the number of the trade that it is of, the later of two."""
        key = (executed.strategy, executed.symbol)
        with localcontext(EXACT):
            trip, left = self._open.get(key), executed.fill.quantity
            if trip is not None and trip.side is not executed.side and left > trip.held:
                left -= trip.held
                self._part(key, executed, trip.held)
            return self._part(key, executed, left)

    @property
    def still_open(self) -> int:
        """How many have not ended."""
        return len(self._open)

    def open(self, prices: Mapping[Symbol, Decimal]) -> list[RoundTrip]:
        """Give what is open, valued at the last prices, and what was left over."""
        with localcontext(EXACT):
            return [
                _told(key, trip, None, prices.get(key[1], NOTHING), "")
                for key, trip in self._open.items()
            ]

    def left_over(self, prices: Mapping[Symbol, Decimal]) -> Decimal:
        """Give what the rests that no trade has taken up won or lost since they were left."""
        with localcontext(EXACT):
            return sum(
                (
                    quantity * (prices.get(key[1], price) - price)
                    for key, (quantity, price) in self._rest.items()
                ),
                start=NOTHING,
            )

    def _part(self, key: tuple[StrategyId, Symbol], executed: Executed, quantity: Decimal) -> int:
        """Count as much of an execution as is of one trade; the fee is shared by quantity."""
        trip, side, fill = self._open.get(key), executed.side, executed.fill
        if trip is None:
            trip = self._open[key] = self._begun(key, executed)
        share = fill.fee if quantity == fill.quantity else fill.fee * quantity / fill.quantity
        base, quote = base_of(key[1]), quote_of(key[1])
        fee = share if fill.fee_currency == quote else NOTHING
        in_base = share if fill.fee_currency == base else NOTHING
        trip.cash -= side.signed(quantity) * fill.price + fee
        trip.held += trip.side.signed(side.signed(quantity) - in_base)
        trip.fees += fee + in_base * fill.price
        trip.most = max(trip.most, trip.held)
        trip.executions += 1
        if trip.side is side:
            trip.opened += quantity
            trip.opened_value += quantity * fill.price
        else:
            trip.closed += quantity
            trip.closed_value += quantity * fill.price
        if trip.held <= trip.most * _REST:
            self._end(key, trip, executed)
        return trip.number

    def _begun(self, key: tuple[StrategyId, Symbol], executed: Executed) -> _Trip:
        rest, at = self._rest.pop(key, (NOTHING, executed.fill.price))
        self.begun += 1
        return _Trip(
            number=self.begun,
            opened_ns=executed.ts_ns,
            side=executed.side,
            held=executed.side.signed(rest),
            cash=-rest * at,
            entry_reason=executed.reason,
        )

    def _end(self, key: tuple[StrategyId, Symbol], trip: _Trip, executed: Executed) -> None:
        price = executed.fill.price
        self.ended.append(_told(key, trip, executed.ts_ns, price, executed.reason))
        self._open.pop(key, None)
        if trip.held:
            self._rest[key] = (trip.side.signed(trip.held), price)


def _told(
    key: tuple[StrategyId, Symbol],
    trip: _Trip,
    closed_ns: int | None,
    price: Decimal,
    exit_reason: str,
) -> RoundTrip:
    return RoundTrip(
        number=trip.number,
        strategy=key[0],
        symbol=key[1],
        side=trip.side,
        quantity=trip.most,
        entry=_average(trip.opened_value, trip.opened, price),
        exit=_average(trip.closed_value, trip.closed, price),
        opened_ns=trip.opened_ns,
        closed_ns=closed_ns,
        profit=trip.cash + trip.side.signed(trip.held) * price,
        fees=trip.fees,
        executions=trip.executions,
        entry_reason=trip.entry_reason,
        exit_reason=exit_reason,
    )


def _average(value: Decimal, quantity: Decimal, otherwise: Decimal) -> Decimal:
    return +(value / quantity) if quantity else otherwise


def round_trips(executions: Iterable[Executed]) -> RoundTrips:
    """Take all of them."""
    found = RoundTrips()
    for one in executions:
        found.take(one)
    return found
