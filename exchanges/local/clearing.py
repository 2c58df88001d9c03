"""What goes with it that an order is accepted, rests, trades or ends: money, books, registers."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from exchanges.local.account import Account
from exchanges.local.book import Book, Resting
from exchanges.local.cashier import Cashier, round_down
from exchanges.local.effects import Effects
from exchanges.local.filters import Market
from exchanges.local.order_register import OrderRegister
from exchanges.local.orders import Execution, Order, Placement, PublicTrade, Status, Trade
from exchanges.local.trade_register import TradeRegister
from messages.exact import NOTHING
from messages.values import Side


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """One moment on the two clocks of an exchange, of which the market's may run ahead."""

    account_ns: int
    """What orders and their executions are stamped with."""
    market_ns: int
    """What the public sees trades at."""


class Clearing:
    """Of one account, on books that it shares with the rest of the world."""

    def __init__(
        self,
        markets: Mapping[str, Market],
        books: Mapping[str, Book],
        last_prices: dict[str, Decimal],
        account: Account,
        *,
        fees_in_bnb: bool,
    ) -> None:
        self.orders = OrderRegister(markets)
        self.trades = TradeRegister()
        self.effects = Effects()
        self._markets, self._books, self._last_prices = markets, books, last_prices
        self._cashier = Cashier(account, last_prices, fees_in_bnb=fees_in_bnb)
        self._resting: dict[int, Resting] = {}
        self.now: Now | None = None

    def accept(self, placement: Placement, ts_ns: int) -> Order:
        """Hold the money that an order may cost, and enter it.

        Raises:
            Refused: there is not enough; nothing happened.
        """
        symbol = placement.symbol
        self._cashier.reserve(placement, self._markets[symbol], self._books[symbol])
        order = Order(
            order_id=self.orders.last_id + 1,
            client_order_id=placement.client_order_id,
            symbol=symbol,
            side=placement.side,
            kind=placement.kind,
            time_in_force=placement.time_in_force,
            price=placement.price or NOTHING,
            quantity=placement.quantity or NOTHING,
            quote_quantity=placement.quote_quantity or NOTHING,
            ts_created_ns=ts_ns,
            ts_updated_ns=ts_ns,
        )
        self.orders.add(order)
        self.effects.note(order, Execution.NEW)
        return order

    def rest(self, order: Order) -> None:
        """Let what is left of an order wait in the book."""
        resting = Resting(order.price, order.left, order.order_id)
        self._resting[order.order_id] = resting
        self._books[order.symbol].add(order.side, resting)

    def resting(self, order: Order) -> Resting | None:
        """Give what waits of an order."""
        return self._resting.get(order.order_id)

    def affordable(self, order: Order, price: Decimal) -> Decimal:
        """Give how much the rest of an order in quote currency buys or sells at a price."""
        unspent = order.quote_quantity - order.filled_quote
        return round_down(unspent / price, self._markets[order.symbol].step)

    def trade_resting(self, resting: Resting, quantity: Decimal, ts_ns: int) -> None:
        """Let somebody trade with an order that waits, at its price; `ts_ns` is the market's."""
        assert resting.order_id is not None, "the world's own trades are only published"
        order = self.orders.by_id[resting.order_id]
        self.trade(order, resting.price, quantity, ts_ns, is_maker=True)
        resting.left -= quantity
        if not resting.left:
            self._leave(order)

    def trade(
        self, order: Order, price: Decimal, quantity: Decimal, ts_ns: int, *, is_maker: bool
    ) -> None:
        """Book one trade of an order; what waits of it in the book stays as it is.

        `ts_ns` is on the taker's clock: the market's where the order waited, else the account's.
        """
        taker = other(order.side) if is_maker else order.side
        public_ns = own_ns = ts_ns
        if self.now is not None and is_maker:
            own_ns = self.now.account_ns
        elif self.now is not None:
            public_ns = self.now.market_ns
        trade_id = self.publish(order.symbol, price, quantity, taker, public_ns)
        market = self._markets[order.symbol]
        fee, fee_asset = self._cashier.pay(order, market, price, quantity, is_maker=is_maker)
        order.filled += quantity
        order.filled_quote += price * quantity
        order.ts_updated_ns = own_ns
        order.status = Status.PARTIALLY_FILLED
        if order.quote_quantity and not self.affordable(order, price):
            order.quantity = order.filled
        if order.quantity and not order.left:
            self._close(order, Status.FILLED)
        trade = Trade(
            trade_id=trade_id,
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=fee_asset,
            is_maker=is_maker,
            ts_ns=own_ns,
        )
        self.trades.add(trade)
        self.effects.trades.append(trade)
        self.effects.note(order, Execution.TRADE, trade)

    def publish(
        self, symbol: str, price: Decimal, quantity: Decimal, taker: Side, ts_ns: int
    ) -> int:
        """Tell everybody of a trade, whoever's it is; give its number."""
        self._last_prices[symbol] = price
        trade_id = self.trades.next_id()
        self.effects.events.append(
            PublicTrade(
                trade_id=trade_id,
                symbol=symbol,
                price=price,
                quantity=quantity,
                is_buyer_maker=taker is Side.SELL,
                ts_ns=ts_ns,
            )
        )
        return trade_id

    def cancel(self, order: Order, ts_ns: int) -> None:
        """End an open order because its account wants it so."""
        self._end(order, Status.CANCELED, Execution.CANCELED, ts_ns)

    def expire(self, order: Order, reason: int, ts_ns: int) -> None:
        """End an open order because the exchange, or its own terms, want it so."""
        order.expiry_reason = reason
        self._end(order, Status.EXPIRED, Execution.EXPIRED, ts_ns)

    def prevent(self, order: Order, ts_ns: int) -> None:
        """End an order that waits, for its account never trades with itself (EXPIRE_MAKER)."""
        self._end(order, Status.EXPIRED_IN_MATCH, Execution.TRADE_PREVENTION, ts_ns)

    def _end(self, order: Order, status: Status, execution: Execution, ts_ns: int) -> None:
        self._cashier.release(order, self._markets[order.symbol])
        order.ts_updated_ns = ts_ns
        self._close(order, status)
        self._leave(order)
        self.effects.note(order, execution)

    def _close(self, order: Order, status: Status) -> None:
        order.status = status
        self.orders.close(order)
        self.effects.orders[order.order_id] = order

    def _leave(self, order: Order) -> None:
        resting = self._resting.pop(order.order_id, None)
        if resting is not None:
            self._books[order.symbol].remove(order.side, resting)


def other(side: Side) -> Side:
    """Give who trades with this side."""
    return Side.SELL if side is Side.BUY else Side.BUY
