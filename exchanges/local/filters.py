"""The rules of one market, and whether a request keeps them."""

import re
from decimal import Decimal

import msgspec

from exchanges.local.orders import OrderKind, Placement
from exchanges.local.refusals import Reason, Refused
from messages.ids import base_of, quote_of

_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_.:/]{1,36}", re.ASCII)
_MOST_DIGITS = 8
_CENT, _FINEST = Decimal("0.01"), Decimal("0.00000001")
_CENTS_SUFFICE = Decimal(100)
_DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI", "USD", "EUR"})


class Market(msgspec.Struct, kw_only=True):
    """One symbol in ccxt's form, ``BTC/USDT``. Mutable: an operator may change the rules."""

    symbol: str
    tick: Decimal = Decimal("0.01")
    min_price: Decimal = Decimal("0.01")
    max_price: Decimal = Decimal("1000000")
    step: Decimal = Decimal("0.00001")
    min_quantity: Decimal = Decimal("0.00001")
    max_quantity: Decimal = Decimal("9000")
    min_notional: Decimal = Decimal("5")
    max_notional: Decimal = Decimal("9000000")
    multiplier_up: Decimal = Decimal("5")
    multiplier_down: Decimal = Decimal("0.2")
    max_num_orders: int = 200
    maker_rate: Decimal = Decimal("0.001")
    taker_rate: Decimal = Decimal("0.001")
    is_trading: bool = True
    is_listed: bool = True

    @property
    def base(self) -> str:
        """What is bought and sold."""
        return base_of(self.symbol)

    @property
    def quote(self) -> str:
        """What is paid."""
        return quote_of(self.symbol)

    @property
    def venue_id(self) -> str:
        """The symbol without its stroke."""
        return self.base + self.quote


def rules_for(symbol: str, price: Decimal) -> Market:
    """Make rules that suit a price: at 60000 USDT a cent and five USDT, at 0.3 less."""
    tick = _CENT
    if price < _CENTS_SUFFICE:
        tick = max(Decimal(1).scaleb(price.adjusted() - 4), _FINEST)
    is_dollar = quote_of(symbol) in _DOLLARS
    return Market(
        symbol=symbol,
        tick=tick,
        min_price=tick,
        min_notional=Decimal(5) if is_dollar else Decimal("0.0001"),
    )


def check(placement: Placement, market: Market, last_price: Decimal) -> None:
    """Hold a request against the rules of its market.

    Raises:
        Refused: it breaks one; nothing was done.
    """
    if not _CLIENT_ID.fullmatch(placement.client_order_id):
        raise Refused(Reason.BAD_CLIENT_ID)
    if not market.is_trading:
        raise Refused(Reason.MARKET_CLOSED)
    _check_precision(placement)
    if placement.price is not None:
        _check_price(placement.price, market, last_price)
    if placement.quantity is not None:
        _check_quantity(placement.quantity, market)
    _check_notional(placement, market, last_price)


def _check_precision(placement: Placement) -> None:
    for name in ("price", "quantity", "quote_quantity"):
        number: Decimal | None = getattr(placement, name)
        if number is None:
            continue
        exponent = number.normalize().as_tuple().exponent
        if isinstance(exponent, int) and exponent < -_MOST_DIGITS:
            raise Refused(Reason.TOO_PRECISE, name)


def _check_price(price: Decimal, market: Market, last_price: Decimal) -> None:
    if not market.min_price <= price <= market.max_price or price % market.tick:
        raise Refused(Reason.PRICE_FILTER)
    lowest, highest = last_price * market.multiplier_down, last_price * market.multiplier_up
    if not lowest <= price <= highest:
        raise Refused(Reason.PERCENT_PRICE)


def _check_quantity(quantity: Decimal, market: Market) -> None:
    if not market.min_quantity <= quantity <= market.max_quantity or quantity % market.step:
        raise Refused(Reason.LOT_SIZE)


def _check_notional(placement: Placement, market: Market, last_price: Decimal) -> None:
    notional = placement.quote_quantity
    if notional is None:
        price = last_price if placement.price is None else placement.price
        notional = price * (placement.quantity or 0)
    is_market = placement.kind is OrderKind.MARKET
    if notional < market.min_notional or (notional > market.max_notional and not is_market):
        raise Refused(Reason.NOTIONAL)
