"""What a run's executions were worth at every price, against buying at the start and holding. Pure.

Exact: everything here is Decimal; a chart makes its floats from it.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from decisions.portfolio import Portfolio
from messages.exact import NOTHING
from messages.ids import Symbol, quote_of
from messages.orders import Fill
from messages.values import Side

_ONE = Decimal(1)

PricePoint = tuple[int, Symbol, Decimal]
"""When on the market's clock, of what, how much."""
Execution = tuple[int, Symbol, Side, Fill]


class Curve(msgspec.Struct):
    """One quote currency. The lists are of equal length; amounts of profit, 0 at the beginning."""

    times_ns: list[int] = []
    profit: list[Decimal] = []
    hold: list[Decimal] = []
    """What holding would have made of the same money."""
    drawdown: list[Decimal] = []
    """How far profit stands below its peak: 0 or more. The beginning is a peak."""
    hold_drawdown: list[Decimal] = []
    capital: Decimal = NOTHING
    """What holding had to spend."""
    symbols: list[Symbol] = []
    executions: int = 0
    other_fees: dict[str, Decimal] = {}
    """Fees in a third currency, which are in no profit."""

    @property
    def deepest(self) -> Decimal:
        """The greatest drawdown."""
        return max(self.drawdown, default=NOTHING)

    @property
    def deepest_of_hold(self) -> Decimal:
        """The greatest drawdown of holding."""
        return max(self.hold_drawdown, default=NOTHING)


def curve(
    quote: str,
    prices: Sequence[PricePoint],
    executions: Sequence[Execution],
    *,
    capital: Decimal,
    fee_share: Decimal = NOTHING,
) -> Curve:
    """Value one currency's executions at each price and at each execution.

    Both are in the order of time; an execution comes before a price of the same moment, for a
    candle's price is its close. Holding spends `capital` in equal parts on each symbol at its
    first price, less `fee_share` of it (0.001 is ten basis points); until then that part lies idle.
    """
    return _Curve(quote, capital, fee_share).over(prices, executions)


class _Curve:
    def __init__(self, quote: str, capital: Decimal, fee_share: Decimal) -> None:
        self._quote = quote
        self._portfolio = Portfolio()
        self._kept = _ONE - fee_share
        self._curve = Curve(capital=capital)
        self._cash = NOTHING
        self._quantity: dict[Symbol, Decimal] = {}
        self._price: dict[Symbol, Decimal] = {}
        self._first: dict[Symbol, Decimal] = {}
        self._symbols = 0
        """So many will have a price at the end."""
        self._peak = self._hold_peak = NOTHING

    def over(self, prices: Sequence[PricePoint], executions: Sequence[Execution]) -> Curve:
        named = {one[1] for some in (prices, executions) for one in some}
        self._symbols = sum(map(self._is_ours, named))
        ours: dict[Symbol, bool] = {}
        trades = (one for one in executions if self._is_ours(one[1]))
        trade = next(trades, None)
        for ts_ns, symbol, price in prices:
            is_ours = ours.get(symbol)
            if is_ours is None:
                is_ours = ours[symbol] = self._is_ours(symbol)
            if not is_ours:
                continue
            while trade is not None and trade[0] <= ts_ns:
                self._execution(*trade)
                trade = next(trades, None)
            self._mark(symbol, price)
            self._note(ts_ns)
        while trade is not None:
            self._execution(*trade)
            trade = next(trades, None)
        curve = self._curve
        curve.symbols = list(self._first)
        curve.other_fees = dict(self._portfolio.other_fees)
        return curve

    def _is_ours(self, symbol: Symbol) -> bool:
        return quote_of(symbol) == self._quote

    def _execution(self, ts_ns: int, symbol: Symbol, side: Side, fill: Fill) -> None:
        self._portfolio.record(symbol, side, fill)
        self._curve.executions += 1
        holdings = self._portfolio.holdings
        self._cash = sum((one.cash_flow for one in holdings.values()), start=NOTHING)
        self._quantity[symbol] = holdings[symbol].quantity
        self._mark(symbol, fill.price)
        self._note(ts_ns)

    def _mark(self, symbol: Symbol, price: Decimal) -> None:
        self._price[symbol] = price
        self._first.setdefault(symbol, price)

    def _note(self, ts_ns: int) -> None:
        price = self._price
        profit = self._cash
        for symbol, quantity in self._quantity.items():
            profit += quantity * price[symbol]
        hold = self._hold()
        if profit > self._peak:
            self._peak = profit
        if hold > self._hold_peak:
            self._hold_peak = hold
        curve = self._curve
        curve.times_ns.append(ts_ns)
        curve.profit.append(profit)
        curve.hold.append(hold)
        curve.drawdown.append(self._peak - profit)
        curve.hold_drawdown.append(self._hold_peak - hold)

    def _hold(self) -> Decimal:
        growth = [self._price[symbol] / first for symbol, first in self._first.items() if first]
        if not growth:
            return NOTHING
        capital, idle = self._curve.capital, self._symbols - len(growth)
        held = self._kept * sum(growth, start=NOTHING)
        return capital * (held + idle) / self._symbols - capital
