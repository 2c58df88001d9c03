"""Positions and profit of a run directory since its beginning, earlier processes included. Pure.

What earlier processes executed is read from the ledger beside the run and comes when it has been
read; until then nothing is told, for a part of it would be wrong.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from decisions.portfolio import Portfolio
from messages.exact import NOTHING
from messages.ids import OrderKey, Symbol, TradeId
from messages.order_states import FINAL_STATES
from messages.orders import Fill, OrderUpdate
from messages.values import Side

ENDED_KEPT = 1_000
"""So many ended orders are remembered, for an execution that is told late or again."""

SidedExecution = tuple[OrderKey, Symbol, Side, Fill]


class Earlier(msgspec.Struct, kw_only=True):
    """What was executed before this process; with a `problem` it could not be told."""

    portfolio: Portfolio = msgspec.field(default_factory=Portfolio)
    executions: int = 0
    counted: dict[OrderKey, set[TradeId]] = {}
    """Of the orders that may be told of again."""
    problem: str = ""


def earlier_of(executions: Iterable[SidedExecution], told_again: set[OrderKey]) -> Earlier:
    """Count executions, oldest first; each must come once. Valued at the last price of each."""
    earlier, last_price = Earlier(), dict[Symbol, Decimal]()
    for key, symbol, side, fill in executions:
        earlier.portfolio.record(symbol, side, fill)
        earlier.executions += 1
        last_price[symbol] = fill.price
        if key in told_again:
            earlier.counted.setdefault(key, set()).add(fill.trade_id)
    for symbol, price in last_price.items():
        earlier.portfolio.mark(symbol, price)
    earlier.portfolio.begin_drawdown()
    return earlier


class MoneyFold:
    """`expect`, `offer` and reading on any thread; the rest on the thread of Metrics."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        """Read only. Empty while what was earlier is being read."""
        self.is_pending = False
        self.executions = 0
        """How many were counted of earlier processes."""
        self.orders: int | None = None
        """How many orders there were before this process's first; None before that is known."""
        self.problem = ""
        """Why `portfolio` is only this process's; empty when it is all."""
        self._offered: Earlier | None = None
        self._at_start: dict[str, Decimal] = {}
        self._waiting: list[tuple[Symbol, Side, Fill, OrderKey]] = []
        self._marks: dict[Symbol, Decimal] = {}
        """The last price of each symbol: what is executed at a batch is told after its prices."""
        self._open: dict[OrderKey, set[TradeId]] = {}
        self._ended: dict[OrderKey, tuple[TradeId, ...]] = {}
        """In tuples: a set, of which there would be a thousand, takes four times as much."""

    @property
    def is_whole(self) -> bool:
        """Whether `portfolio` is that of the run directory since its beginning."""
        return not self.is_pending and not self.problem

    def expect(self) -> None:
        """Earlier executions are being read, and none of this process's has been told yet."""
        self.is_pending = True

    def offer(self, earlier: Earlier) -> None:
        """Give what was earlier. It is taken up with the next message, or by `take_up`."""
        self._offered = earlier

    def since_start(self, quote: str) -> Decimal:
        """Give the profit since this process began.

        What was held then is valued at the price of its last execution.
        """
        return self.portfolio.equity(quote) - self._at_start.get(quote, NOTHING)

    def order(self, update: OrderUpdate) -> None:
        """Count each execution once: a lookup tells of all of an order's again."""
        if self._offered is not None:
            self.take_up()
        key = update.order_key
        counted = self._open.pop(key, None)
        if counted is None:
            if key not in self._ended and not update.fills:
                return
            counted = set(self._ended.pop(key, ()))
        for fill in update.fills:
            if fill.trade_id not in counted:
                counted.add(fill.trade_id)
                self._record(key, update.symbol, update.side, fill)
        if update.state not in FINAL_STATES:
            self._open[key] = counted
            return
        self._ended[key] = tuple(counted)
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]

    def mark(self, symbol: Symbol, price: Decimal) -> None:
        """Value a symbol at a new price."""
        self.take_up()
        self._marks[symbol] = price
        if not self.is_pending:
            self.portfolio.mark(symbol, price)

    def take_up(self) -> None:
        """Begin with what was earlier, if it is known by now; then what has waited for it."""
        earlier = self._offered
        if earlier is None:
            return
        self._offered = None
        portfolio, self.problem = earlier.portfolio, earlier.problem
        self._at_start = {quote: portfolio.equity(quote) for quote in portfolio.quotes()}
        for symbol, side, fill, key in self._waiting:
            if fill.trade_id not in earlier.counted.get(key, ()):
                portfolio.record(symbol, side, fill)
        for symbol, price in self._marks.items():
            portfolio.mark(symbol, price)
        for key, counted in earlier.counted.items():
            if key in self._ended:
                self._ended[key] = tuple(counted.union(self._ended[key]))
            else:
                self._open[key] = self._open.get(key, set()) | counted
        self._waiting = []
        self.portfolio, self.executions = portfolio, earlier.executions
        self.is_pending = False

    def _record(self, key: OrderKey, symbol: Symbol, side: Side, fill: Fill) -> None:
        if self.is_pending:
            self._waiting.append((symbol, side, fill, key))
            return
        is_first = symbol not in self.portfolio.holdings
        self.portfolio.record(symbol, side, fill)
        if is_first and symbol in self._marks:
            self.portfolio.mark(symbol, self._marks[symbol])
