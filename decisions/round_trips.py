"""From executions to trades: from flat until flat again, by strategy and symbol. Pure, in Decimal.

A turn from long to short ends one trade and begins another with the rest of the same execution. A
rest of at most half a percent of the most that was held counts as flat, for a fee taken in the base
currency leaves one. What closes it later is of the trade that left it, which stays closed when it
was and for that reason: the last piece of an exit is no trade. What the next entry finds of it goes
over to the next trade at the last price, so that no money is lost between the two. What is open at
the end is valued at the last price, and is no trade that ended.
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
    """When no more than a rest was left; None: it is open."""
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
    """One that is open, or the last one that was."""

    number: int
    opened_ns: int
    side: Side
    held: Decimal = NOTHING
    """Unsigned."""
    unclosed: Decimal = NOTHING
    """The same before what closes it has paid its own fees in the base currency."""
    most: Decimal = NOTHING
    cash: Decimal = NOTHING
    fees: Decimal = NOTHING
    opened: Decimal = NOTHING
    opened_value: Decimal = NOTHING
    closed: Decimal = NOTHING
    closed_value: Decimal = NOTHING
    executions: int = 0
    entry_reason: str
    place: int | None = None
    """Among those that ended."""
    left_at: Decimal = NOTHING
    """The price that its rest was left at."""


class RoundTrips:
    """Takes executions in the order of time."""

    def __init__(self) -> None:
        self.ended: list[RoundTrip] = []
        """By when they ended; the last of a strategy and symbol changes as its rest is closed."""
        self.begun = 0
        """So many trades were opened; the number of the last one."""
        self._open: dict[tuple[StrategyId, Symbol], _Trip] = {}
        self._last: dict[tuple[StrategyId, Symbol], _Trip] = {}
        """Those that ended, each until the next of its strategy and symbol begins."""

    def take(self, executed: Executed) -> int:
        """Count one execution; give the number of the trade that it is of, the later of two."""
        key = (executed.strategy, executed.symbol)
        with localcontext(EXACT):
            left = executed.fill.quantity
            if (trip := self._closed_by(key, executed.side)) is not None:
                left -= self._close(key, trip, executed)
                if not left:
                    return trip.number
            trip = self._open.get(key) or self._begun(key, executed)
            _part(key, trip, executed, left)
            return trip.number

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
                    one.side.signed(one.held) * (prices.get(key[1], one.left_at) - one.left_at)
                    for key, one in self._last.items()
                ),
                start=NOTHING,
            )

    def _closed_by(self, key: tuple[StrategyId, Symbol], side: Side) -> _Trip | None:
        """Give what an execution of this side closes: what is open, or what the last one left."""
        trip = self._open.get(key)
        if trip is None:
            trip = self._last.get(key)
            if trip is None or max(trip.held, trip.unclosed) <= NOTHING:
                return None
        return None if trip.side is side else trip

    def _close(self, key: tuple[StrategyId, Symbol], trip: _Trip, executed: Executed) -> Decimal:
        """Count as much of an execution as a trade has room for; give how much that is."""
        closed = min(executed.fill.quantity, _until_flat(key, trip, executed.fill))
        _part(key, trip, executed, closed)
        if trip.place is not None or trip.held <= trip.most * _REST:
            self._end(key, trip, executed)
        return closed

    def _begun(self, key: tuple[StrategyId, Symbol], executed: Executed) -> _Trip:
        last, rest, left_at = self._last.pop(key, None), NOTHING, NOTHING
        if last is not None:
            rest, left_at = last.side.signed(last.held), last.left_at
        self.begun += 1
        trip = self._open[key] = _Trip(
            number=self.begun,
            opened_ns=executed.ts_ns,
            side=executed.side,
            held=executed.side.signed(rest),
            cash=-rest * left_at,
            entry_reason=executed.reason,
        )
        return trip

    def _end(self, key: tuple[StrategyId, Symbol], trip: _Trip, executed: Executed) -> None:
        """Tell of one that ended; or again, if another piece of its rest was closed."""
        self._open.pop(key, None)
        trip.left_at = executed.fill.price
        if trip.place is None:
            trip.place = len(self.ended)
            self.ended.append(_told(key, trip, executed.ts_ns, trip.left_at, executed.reason))
        else:
            first = self.ended[trip.place]
            told = _told(key, trip, first.closed_ns, trip.left_at, first.exit_reason)
            self.ended[trip.place] = told
        self._last[key] = trip


def _until_flat(key: tuple[StrategyId, Symbol], trip: _Trip, fill: Fill) -> Decimal:
    """Give how much of an execution closes a trade; all of it, if more could be closed."""
    closes = fill.quantity + trip.side.signed(_in_base(key, fill))
    if trip.held <= NOTHING:
        return max(trip.unclosed, NOTHING)
    if closes <= trip.held:
        return fill.quantity
    return max(trip.unclosed, trip.held * fill.quantity / closes)


def _in_base(key: tuple[StrategyId, Symbol], fill: Fill) -> Decimal:
    return fill.fee if fill.fee_currency == base_of(key[1]) else NOTHING


def _part(
    key: tuple[StrategyId, Symbol], trip: _Trip, executed: Executed, quantity: Decimal
) -> None:
    """Count as much of an execution as is of one trade; the fee is shared by quantity."""
    side, fill = executed.side, executed.fill
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
        trip.unclosed = trip.held
        trip.opened += quantity
        trip.opened_value += quantity * fill.price
    else:
        trip.unclosed -= quantity
        trip.closed += quantity
        trip.closed_value += quantity * fill.price


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
