"""The matching engine: one account against the rest of the world. Pure: no clock, no I/O.

Whoever calls says what time it is. An operation either is refused, and then nothing has
happened, or it happens whole: `take_effects` then gives what it did, in order. Who trades with
whom is `Crossing`'s, and what a trade or an end brings with it `Clearing`'s.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from exchanges.local.account import Account
from exchanges.local.book import Book
from exchanges.local.clearing import Clearing, Now
from exchanges.local.crossing import Crossing
from exchanges.local.effects import Effects
from exchanges.local.filters import Market, check
from exchanges.local.orders import BalanceEvent, Order, OrderKind, Placement, Trade
from exchanges.local.refusals import Reason, Refused
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
        self._clearing = Clearing(
            self.markets, self.books, self.last_prices, self.account, fees_in_bnb=fees_in_bnb
        )
        self._crossing = Crossing(self.books, self._clearing)
        self.orders, self.trades = self._clearing.orders, self._clearing.trades
        self.fill_cap: Decimal | None = None
        """At most this much of the next placement trades at once, and the rest rests or expires."""
        self.cancels_post_only = False
        """Whether a post-only order that would take is accepted and canceled, not refused."""

    def begin(self, now: Now) -> None:
        """Say what time it is from now on, where the market's clock is not the account's."""
        self._clearing.now = now

    def take_effects(self) -> Effects:
        """Give what happened since the last call, and begin anew."""
        effects, self._clearing.effects = self._clearing.effects, Effects()
        effects.assets = self.account.take_changed()
        return effects

    def restore(self, orders: Iterable[Order], trades: Iterable[Trade]) -> None:
        """Take up what an earlier engine left: open orders rest again, in their order."""
        for order in orders:
            self.orders.add(order)
            if order.is_open:
                self._clearing.rest(order)
        for trade in trades:
            self.trades.add(trade)

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
        is_post_only = placement.kind is OrderKind.POST_ONLY
        would_take = is_post_only and self._crossing.would_take(placement)
        if would_take and not self.cancels_post_only:
            raise Refused(Reason.WOULD_TAKE)
        order = self._clearing.accept(placement, ts_ns)
        if would_take:
            self._clearing.cancel(order, ts_ns)
            return order, []
        self._crossing.match(order, self.fill_cap, ts_ns)
        self._settle_rest(order, ts_ns)
        return order, [*self.trades.of(order.order_id)]

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
        self._clearing.cancel(order, ts_ns)
        return order

    def move_balance(self, asset: str, delta: Decimal, ts_ns: int) -> None:
        """Deposit, or with a negative number withdraw.

        Raises:
            Refused: there is less to withdraw.
        """
        self.account.add(asset, delta)
        event = BalanceEvent(assets=(asset,), delta=delta, ts_ns=ts_ns)
        self._clearing.effects.events.append(event)

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
        left_bids = self._crossing.cross(symbol, Side.BUY, bids, ts_ns)
        left_asks = self._crossing.cross(symbol, Side.SELL, asks, ts_ns)
        book.quote(Side.BUY, left_bids)
        book.quote(Side.SELL, left_asks)

    def print(
        self, symbol: str, taker: Side, price: Decimal, quantity: Decimal, ts_ns: int
    ) -> None:
        """Let somebody trade up to `price`; our orders take part in their turn."""
        left = self._crossing.sweep(symbol, taker, price, quantity, ts_ns)
        if left == quantity:
            self._clearing.publish(symbol, price, quantity, taker, ts_ns)

    def expire(self, order: Order, ts_ns: int, reason: int = EXCHANGE_CANCELED) -> None:
        """Let the exchange take an open order out.

        Raises:
            Refused: it is not open.
        """
        if not order.is_open:
            raise Refused(Reason.NOT_OPEN)
        self._clearing.expire(order, reason, ts_ns)

    def fill(self, order: Order, quantity: Decimal, ts_ns: int) -> None:
        """Let somebody trade with a resting order at its price, out of turn; market's time."""
        resting = self._clearing.resting(order)
        if order.is_open and resting is not None:
            self._clearing.trade_resting(resting, min(quantity, order.left), ts_ns)

    # Inside

    def _last_price(self, symbol: str) -> Decimal:
        price = self.last_prices.get(symbol)
        if price is None:
            raise Refused(Reason.MARKET_CLOSED)
        return price

    def _settle_rest(self, order: Order, ts_ns: int) -> None:
        """Let what has not traded at once wait or expire."""
        if not order.is_open:
            return
        if order.kind is OrderKind.MARKET:
            if order.quote_quantity:
                order.quantity = order.filled
            self.expire(order, ts_ns, INSUFFICIENT_LIQUIDITY)
        elif order.time_in_force is TimeInForce.GTC:
            self._clearing.rest(order)
        else:
            is_fok = order.time_in_force is TimeInForce.FOK
            self.expire(order, ts_ns, UNFILLED_FOK if is_fok else UNFILLED_IOC)
