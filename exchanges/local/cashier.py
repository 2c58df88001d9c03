"""What an order holds back, what a trade costs, and what is given back in the end."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

from exchanges.local.account import Account, fee_in_bnb, fee_of
from exchanges.local.book import Book
from exchanges.local.filters import Market
from exchanges.local.orders import Order, OrderKind, Placement
from exchanges.local.refusals import Reason, Refused
from messages.exact import NOTHING
from messages.values import Side

FEE_ASSET = "BNB"


class Cashier:
    """Moves money between an account and its trades. Resting orders lock what they may spend."""

    def __init__(
        self, account: Account, last_prices: Mapping[str, Decimal], *, fees_in_bnb: bool
    ) -> None:
        self._account = account
        self._last_prices = last_prices
        self._fees_in_bnb = fees_in_bnb

    def reserve(self, placement: Placement, market: Market, book: Book) -> None:
        """Hold the funds before anything happens, so that no match can fail for want of them.

        Raises:
            Refused: there are not enough; nothing was held.
        """
        if placement.kind is OrderKind.MARKET:
            asset, needed = _market_need(placement, market, book)
            if self._account.free(asset) < needed:
                raise Refused(Reason.INSUFFICIENT_BALANCE)
            return
        assert placement.price is not None, "only a market order has no price"
        assert placement.quantity is not None, "only a market order may lack a quantity"
        if placement.side is Side.BUY:
            self._account.lock(market.quote, placement.price * placement.quantity)
        else:
            self._account.lock(market.base, placement.quantity)

    def release(self, order: Order, market: Market) -> None:
        """Give back what an order that ends has not spent."""
        if order.kind is OrderKind.MARKET:
            return
        if order.side is Side.BUY:
            self._account.unlock(market.quote, order.price * order.left)
        else:
            self._account.unlock(market.base, order.left)

    def pay(
        self, order: Order, market: Market, price: Decimal, quantity: Decimal, *, is_maker: bool
    ) -> tuple[Decimal, str]:
        """Exchange the money of one trade; gives the fee and its asset."""
        quote, is_buy = price * quantity, order.side is Side.BUY
        paid, received = (market.quote, market.base) if is_buy else (market.base, market.quote)
        if order.kind is OrderKind.MARKET:
            self._account.add(paid, -(quote if is_buy else quantity))
        elif is_buy:
            self._account.spend_locked(paid, quote)
            self._account.unlock(paid, (order.price - price) * quantity)
        else:
            self._account.spend_locked(paid, quantity)
        income = quantity if is_buy else quote
        rate = market.maker_rate if is_maker else market.taker_rate
        fee, asset = self._fee(market, quote, income, received, rate)
        self._account.add(received, income)
        self._account.add(asset, -fee)
        return fee, asset

    def _fee(
        self, market: Market, quote: Decimal, income: Decimal, received: str, rate: Decimal
    ) -> tuple[Decimal, str]:
        bnb_price = self._last_prices.get(f"{FEE_ASSET}/{market.quote}")
        if self._fees_in_bnb and bnb_price:
            fee = fee_in_bnb(quote, rate, bnb_price)
            if self._account.free(FEE_ASSET) >= fee:
                return fee, FEE_ASSET
        return fee_of(income, rate), received


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """Give the largest multiple of `step` that is not more than `quantity`."""
    return (quantity / step).to_integral_value(ROUND_DOWN) * step


def _market_need(placement: Placement, market: Market, book: Book) -> tuple[str, Decimal]:
    """What a market order may cost at most; a sale in quote currency sells what it must."""
    if placement.side is Side.BUY and placement.quote_quantity is not None:
        return market.quote, placement.quote_quantity
    if placement.side is Side.SELL and placement.quantity is not None:
        return market.base, placement.quantity
    wanted, budget, cost, base = placement.quantity, placement.quote_quantity, NOTHING, NOTHING
    for one in book.of_the_world(placement.side, None):
        take = one.left if wanted is None else min(one.left, wanted - base)
        if budget is not None:
            take = min(take, round_down((budget - cost) / one.price, market.step))
        if take <= 0:
            break
        base += take
        cost += take * one.price
    return (market.quote, cost) if placement.side is Side.BUY else (market.base, base)
