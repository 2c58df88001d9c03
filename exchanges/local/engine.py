"""The matching engine: one account against the rest of the world. Pure: no clock, no I/O.

Whoever calls says what time it is. An operation either is refused, and then nothing has
happened, or it happens whole: `take_effects` then gives what it did, in order.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from exchanges.local.account import Account
from exchanges.local.book import Book, Resting
from exchanges.local.cashier import Cashier, round_down
from exchanges.local.effects import Effects
from exchanges.local.filters import Market, check
from exchanges.local.order_register import OrderRegister
from exchanges.local.orders import (
    BalanceEvent,
    Execution,
    Order,
    OrderKind,
    Placement,
    PublicTrade,
    Status,
    Trade,
)
from exchanges.local.refusals import Reason, Refused
from messages.exact import NOTHING
from messages.values import Side, TimeInForce

EXCHANGE_CANCELED, UNFILLED_IOC, UNFILLED_FOK, INSUFFICIENT_LIQUIDITY = 2, 5, 6, 7
"""Why an order expired, as Binance numbers it."""


class Engine:
    """Markets, books, orders, trades and the account."""

    def __init__(
        self,
        markets: Iterable[Market],
        balances: Mapping[str, Decimal],
        *,
        fees_in_bnb: bool = False,
    ) -> None:
        self.markets = {market.symbol: market for market in markets}
        self.books = {symbol: Book() for symbol in self.markets}
        self.last_prices: dict[str, Decimal] = {}
        self.account = Account(balances)
        self._cashier = Cashier(self.account, self.last_prices, fees_in_bnb=fees_in_bnb)
        self.orders = OrderRegister(self.markets)
        self.trades: list[Trade] = []
        self.last_order_id = 0
        self.last_trade_id = 0
        self.fill_cap: Decimal | None = None
        """At most this much of the next placement trades at once, and the rest rests or expires."""
        self.cancels_post_only = False
        """Whether a post-only order that would take is accepted and canceled, not refused."""
        self._resting: dict[int, Resting] = {}
        self._effects = Effects()

    def take_effects(self) -> Effects:
        """Give what happened since the last call, and begin anew."""
        effects, self._effects = self._effects, Effects()
        effects.assets = self.account.take_changed()
        return effects

    def restore(self, orders: Iterable[Order], trades: Iterable[Trade]) -> None:
        """Take up what an earlier engine left: open orders rest again, in their order."""
        self.trades = list(trades)
        for order in orders:
            self.orders.add(order)
            self.last_order_id = max(self.last_order_id, order.order_id)
            if order.is_open:
                self._rest(order)
        for trade in self.trades:
            self.last_trade_id = max(self.last_trade_id, trade.trade_id)

    def market(self, symbol: str) -> Market:
        """Give a market's rules.

        Raises:
            Refused: it is not listed.
        """
        market = self.markets.get(symbol)
        if market is None or not market.is_listed:
            raise Refused(Reason.BAD_SYMBOL)
        return market

    # What an account asks for

    def place(self, placement: Placement, ts_ns: int) -> tuple[Order, list[Trade]]:
        """Accept an order, match it, and let the rest of it wait or expire.

        Raises:
            Refused: it was not accepted; nothing happened.
        """
        self.check(placement)
        market = self.markets[placement.symbol]
        open_here = self.orders.open_in(placement.symbol)
        if placement.kind is not OrderKind.MARKET and len(open_here) >= market.max_num_orders:
            raise Refused(Reason.MAX_NUM_ORDERS)
        if placement.client_order_id in open_here:
            raise Refused(Reason.DUPLICATE_ID)
        would_take = placement.kind is OrderKind.POST_ONLY and self._crosses(placement)
        if would_take and not self.cancels_post_only:
            raise Refused(Reason.WOULD_TAKE)
        self._cashier.reserve(placement, market, self.books[placement.symbol])
        order = self._accept(placement, ts_ns)
        if would_take:
            self._end(order, Status.CANCELED, Execution.CANCELED, ts_ns)
            return order, []
        before = len(self.trades)
        self._match(order, ts_ns)
        self._settle_rest(order, ts_ns)
        return order, self.trades[before:]

    def check(self, placement: Placement) -> None:
        """Hold a request against the rules of its market.

        Raises:
            Refused: it breaks one.
        """
        market = self.market(placement.symbol)
        check(placement, market, self._last_price(placement.symbol))

    def cancel(self, symbol: str, order: Order, cancel_id: str, ts_ns: int) -> Order:
        """Take an open order out.

        Raises:
            Refused: it is not open any more.
        """
        self.market(symbol)
        if not order.is_open:
            raise Refused(Reason.NOT_OPEN)
        order.cancel_id = cancel_id
        self._end(order, Status.CANCELED, Execution.CANCELED, ts_ns)
        return order

    def move_balance(self, asset: str, delta: Decimal, ts_ns: int) -> None:
        """Deposit, or with a negative number withdraw.

        Raises:
            Refused: there is less to withdraw.
        """
        self.account.add(asset, delta)
        self._effects.events.append(BalanceEvent(assets=(asset,), delta=delta, ts_ns=ts_ns))

    # What the rest of the world does

    def quote(
        self,
        symbol: str,
        bids: Mapping[Decimal, Decimal],
        asks: Mapping[Decimal, Decimal],
        ts_ns: int,
    ) -> None:
        """Let the world offer exactly this; what of it crosses our orders trades with them."""
        book = self.books[symbol]
        book.keep(Side.BUY, bids)
        book.keep(Side.SELL, asks)
        left_bids = self._cross(symbol, Side.BUY, bids, ts_ns)
        left_asks = self._cross(symbol, Side.SELL, asks, ts_ns)
        book.quote(Side.BUY, left_bids)
        book.quote(Side.SELL, left_asks)

    def print(
        self, symbol: str, taker: Side, price: Decimal, quantity: Decimal, ts_ns: int
    ) -> None:
        """Let somebody trade up to `price`; our orders take part in their turn."""
        left = self._sweep(symbol, taker, price, quantity, ts_ns)
        if left == quantity:
            self._publish(symbol, price, quantity, taker, ts_ns)

    def expire(self, order: Order, ts_ns: int, reason: int = EXCHANGE_CANCELED) -> None:
        """Let the exchange take an open order out.

        Raises:
            Refused: it is not open.
        """
        if not order.is_open:
            raise Refused(Reason.NOT_OPEN)
        order.expiry_reason = reason
        self._end(order, Status.EXPIRED, Execution.EXPIRED, ts_ns)

    def fill(self, order: Order, quantity: Decimal, ts_ns: int) -> None:
        """Let somebody trade with a resting order at its price, out of turn."""
        if order.is_open and order.order_id in self._resting:
            self._trade_resting(self._resting[order.order_id], min(quantity, order.left), ts_ns)

    # Inside

    def _last_price(self, symbol: str) -> Decimal:
        price = self.last_prices.get(symbol)
        if price is None:
            raise Refused(Reason.MARKET_CLOSED)
        return price

    def _crosses(self, placement: Placement) -> bool:
        book = self.books[placement.symbol]
        return next(book.reach(placement.side, placement.price), None) is not None

    def _accept(self, placement: Placement, ts_ns: int) -> Order:
        self.last_order_id += 1
        order = Order(
            order_id=self.last_order_id,
            client_order_id=placement.client_order_id,
            symbol=placement.symbol,
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
        self._effects.note(order, Execution.NEW)
        return order

    def _match(self, order: Order, ts_ns: int) -> None:
        limit = order.price or None
        book = self.books[order.symbol]
        if order.time_in_force is TimeInForce.FOK:
            there = sum((one.left for one in book.of_the_world(order.side, limit)), NOTHING)
            if min(there, self._cap(there)) < order.quantity:
                return
        cap = self._cap(order.quantity or None)
        for one in book.reach(order.side, limit):
            if not order.is_open:
                break
            if one.order_id is not None:
                self._prevent(self.orders.by_id[one.order_id], ts_ns)
                continue
            quantity = min(one.left, self._wanted(order, one.price, cap))
            if quantity <= 0:
                break
            self._trade(order, one.price, quantity, ts_ns, is_maker=False)
            one.left -= quantity
            if not one.left:
                book.remove(_other(order.side), one)

    def _cap(self, quantity: Decimal | None) -> Decimal:
        if self.fill_cap is None:
            return quantity if quantity is not None else Decimal("Infinity")
        return self.fill_cap if quantity is None else min(self.fill_cap, quantity)

    def _wanted(self, order: Order, price: Decimal, cap: Decimal) -> Decimal:
        if order.quantity:
            return cap - order.filled
        return min(self._affordable(order, price), cap - order.filled)

    def _affordable(self, order: Order, price: Decimal) -> Decimal:
        unspent = order.quote_quantity - order.filled_quote
        return round_down(unspent / price, self.markets[order.symbol].step)

    def _prevent(self, resting: Order, ts_ns: int) -> None:
        """An account never trades with itself: the order that waited goes (EXPIRE_MAKER)."""
        self._end(resting, Status.EXPIRED_IN_MATCH, Execution.TRADE_PREVENTION, ts_ns)

    def _settle_rest(self, order: Order, ts_ns: int) -> None:
        if order.kind is OrderKind.MARKET:
            self._settle_market(order, ts_ns)
        elif not order.left:
            return
        elif order.time_in_force is TimeInForce.GTC:
            self._rest(order)
        else:
            is_fok = order.time_in_force is TimeInForce.FOK
            self.expire(order, ts_ns, UNFILLED_FOK if is_fok else UNFILLED_IOC)

    def _settle_market(self, order: Order, ts_ns: int) -> None:
        if order.is_open:
            if order.quote_quantity:
                order.quantity = order.filled
            self.expire(order, ts_ns, INSUFFICIENT_LIQUIDITY)

    def _rest(self, order: Order) -> None:
        resting = Resting(order.price, order.left, order.order_id)
        self._resting[order.order_id] = resting
        self.books[order.symbol].add(order.side, resting)

    def _cross(
        self, symbol: str, side: Side, quotes: Mapping[Decimal, Decimal], ts_ns: int
    ) -> dict[Decimal, Decimal]:
        left = {}
        for price, quantity in quotes.items():
            rest = self._sweep(symbol, side, price, quantity, ts_ns)
            if rest:
                left[price] = rest
        return left

    def _sweep(
        self, symbol: str, taker: Side, limit: Decimal, quantity: Decimal, ts_ns: int
    ) -> Decimal:
        """Let the world take from the book; gives what it did not get."""
        book = self.books[symbol]
        for one in book.reach(taker, limit):
            if quantity <= 0:
                break
            taken = min(one.left, quantity)
            quantity -= taken
            if one.order_id is not None:
                self._trade_resting(one, taken, ts_ns)
                continue
            self._publish(symbol, one.price, taken, taker, ts_ns)
            one.left -= taken
            if not one.left:
                book.remove(_other(taker), one)
        return quantity

    def _trade_resting(self, resting: Resting, quantity: Decimal, ts_ns: int) -> None:
        assert resting.order_id is not None
        order = self.orders.by_id[resting.order_id]
        self._trade(order, resting.price, quantity, ts_ns, is_maker=True)
        resting.left -= quantity
        if not resting.left:
            self._leave(order)

    def _trade(
        self, order: Order, price: Decimal, quantity: Decimal, ts_ns: int, *, is_maker: bool
    ) -> None:
        taker = _other(order.side) if is_maker else order.side
        trade_id = self._publish(order.symbol, price, quantity, taker, ts_ns)
        market = self.markets[order.symbol]
        fee, fee_asset = self._cashier.pay(order, market, price, quantity, is_maker=is_maker)
        order.filled += quantity
        order.filled_quote += price * quantity
        order.ts_updated_ns = ts_ns
        order.status = Status.PARTIALLY_FILLED
        if order.quote_quantity and not self._affordable(order, price):
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
            ts_ns=ts_ns,
        )
        self.trades.append(trade)
        self._effects.trades.append(trade)
        self._effects.note(order, Execution.TRADE, trade)

    def _publish(
        self, symbol: str, price: Decimal, quantity: Decimal, taker: Side, ts_ns: int
    ) -> int:
        self.last_trade_id += 1
        self.last_prices[symbol] = price
        self._effects.events.append(
            PublicTrade(
                trade_id=self.last_trade_id,
                symbol=symbol,
                price=price,
                quantity=quantity,
                is_buyer_maker=taker is Side.SELL,
                ts_ns=ts_ns,
            )
        )
        return self.last_trade_id

    def _end(self, order: Order, status: Status, execution: Execution, ts_ns: int) -> None:
        self._cashier.release(order, self.markets[order.symbol])
        order.ts_updated_ns = ts_ns
        self._close(order, status)
        self._leave(order)
        self._effects.note(order, execution)

    def _close(self, order: Order, status: Status) -> None:
        order.status = status
        self.orders.close(order)
        self._effects.orders[order.order_id] = order

    def _leave(self, order: Order) -> None:
        resting = self._resting.pop(order.order_id, None)
        if resting is not None:
            self.books[order.symbol].remove(order.side, resting)


def _other(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY
