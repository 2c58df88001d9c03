"""Positions and profit from fills, by average cost, in Decimal.

Signs: a position is positive when long; cash flow is positive when money came in; a fee is a
cost. Profit is per quote currency: currencies are never added to each other.
"""

from decimal import Decimal

import msgspec

from messages.exact import NOTHING
from messages.ids import Symbol, base_of, quote_of
from messages.orders import Fill
from messages.values import Side


class Holding(msgspec.Struct, kw_only=True):
    """One symbol. Amounts in its quote currency, `quantity` in its base currency."""

    quantity: Decimal = NOTHING
    average_cost: Decimal = NOTHING
    """Per unit, fees left out; 0 when flat."""
    cash_flow: Decimal = NOTHING
    """Money in less money out since the beginning, quote fees included."""
    fees: Decimal = NOTHING
    """Paid in quote or base currency, valued at the price of their fill."""
    mark_price: Decimal | None = None

    @property
    def realized(self) -> Decimal:
        """Profit of what is closed, net of fees."""
        return self.cash_flow + self.quantity * self.average_cost

    @property
    def unrealized(self) -> Decimal:
        """Profit of what is open, at the mark; 0 before there is one."""
        if self.mark_price is None:
            return NOTHING
        return self.quantity * (self.mark_price - self.average_cost)

    @property
    def profit(self) -> Decimal:
        """What the trading on this symbol would have brought if it were closed at the mark."""
        if self.mark_price is None:
            return self.realized
        # Not by way of the average cost, which is rounded: so no digit of it is wrong.
        return self.cash_flow + self.quantity * self.mark_price


class Portfolio:
    """All holdings. Each fill must come once: trade ids are the ledger's concern."""

    def __init__(self) -> None:
        self.holdings: dict[Symbol, Holding] = {}
        self.other_fees: dict[str, Decimal] = {}
        """Fees in a third currency (a venue's own coin), by currency; in no profit."""
        self._equity: dict[str, Decimal] = {}
        self._peak: dict[str, Decimal] = {}
        self._drawdown: dict[str, Decimal] = {}

    def record(self, symbol: Symbol, side: Side, fill: Fill) -> None:
        """Count one execution and its fee.

        A fee in base currency takes units out of the position; one in neither currency of
        the symbol is kept apart, for there is no price to value it at.
        """
        holding = self.holdings.get(symbol)
        if holding is None:
            holding = self.holdings[symbol] = Holding()
        before = holding.profit
        _move(holding, side.signed(fill.quantity), fill.price)
        self._charge(holding, symbol, fill)
        if holding.mark_price is None:
            holding.mark_price = fill.price
        self._follow(symbol, before)

    def mark(self, symbol: Symbol, price: Decimal) -> None:
        """Value a symbol's position at a new price; unknown symbols are not held and not kept."""
        holding = self.holdings.get(symbol)
        if holding is None:
            return
        before = holding.profit
        holding.mark_price = price
        self._follow(symbol, before)

    def equity(self, quote: str) -> Decimal:
        """Give the profit in one currency: 0 at the beginning, whatever the account holds."""
        return self._equity.get(quote, NOTHING)

    def max_drawdown(self, quote: str) -> Decimal:
        """Give the deepest fall of `equity` from a peak before it; the beginning is a peak."""
        return self._drawdown.get(quote, NOTHING)

    def drawdown(self, quote: str) -> Decimal:
        """Give how far `equity` is below its highest now; 0 at a peak."""
        return self._peak.get(quote, NOTHING) - self.equity(quote)

    def begin_drawdown(self) -> None:
        """Let the present equity be the highest and the beginning: there was no fall yet."""
        self._peak, self._drawdown = dict(self._equity), {}

    def of_quote(self, quote: str) -> list[Holding]:
        """Give the holdings whose profit is in one currency."""
        return [one for name, one in self.holdings.items() if quote_of(name) == quote]

    def quotes(self) -> list[str]:
        """Give the currencies that there is profit or loss in."""
        return sorted(self._equity)

    def _charge(self, holding: Holding, symbol: Symbol, fill: Fill) -> None:
        if fill.fee_currency == quote_of(symbol):
            holding.cash_flow -= fill.fee
            holding.fees += fill.fee
        elif fill.fee_currency == base_of(symbol):
            _move(holding, -fill.fee, NOTHING)
            holding.fees += fill.fee * fill.price
        else:
            so_far = self.other_fees.get(fill.fee_currency, NOTHING)
            self.other_fees[fill.fee_currency] = so_far + fill.fee

    def _follow(self, symbol: Symbol, profit_before: Decimal) -> None:
        quote = quote_of(symbol)
        before = self._equity.get(quote, NOTHING)
        equity = before + self.holdings[symbol].profit - profit_before
        peak = max(self._peak.get(quote, NOTHING), equity)
        self._equity[quote] = equity
        self._peak[quote] = peak
        self._drawdown[quote] = max(self._drawdown.get(quote, NOTHING), peak - equity)


def _move(holding: Holding, change: Decimal, price: Decimal) -> None:
    before = holding.quantity
    after = before + change
    if not after:
        holding.average_cost = NOTHING
    elif before * change >= 0:
        holding.average_cost = (before * holding.average_cost + change * price) / after
    elif before * after < 0:
        holding.average_cost = price
    holding.quantity = after
    holding.cash_flow -= change * price
