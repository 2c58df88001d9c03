"""The closed sets and small values that messages are made of.

Their members are texts and hash as texts do: an enum's own hash is a call in Python, made at each
look into a table.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.ids import Symbol, base_of, quote_of


class Side(StrEnum):
    """Which way an order goes (FIX Side)."""

    BUY = "buy"
    SELL = "sell"

    sign: int
    """+1 for a buy, -1 for a sell: the sign of its effect on the position."""

    def __init__(self, name: str) -> None:
        self.sign = 1 if name == "buy" else -1

    def signed(self, amount: Decimal) -> Decimal:
        """Give what so much of it does to the position.

        `sign * amount` would round it to the 28 digits of the default context.
        """
        return amount if self.sign > 0 else amount.copy_negate()

    __hash__ = str.__hash__


BUY, SELL = Side.BUY, Side.SELL
"""For code that runs at each order: Python 3.11 takes 130 ns to find a member by its class."""


class OrderType(StrEnum):
    """How the price of an order is set (FIX OrdType)."""

    MARKET = "market"
    LIMIT = "limit"

    __hash__ = str.__hash__


class TimeInForce(StrEnum):
    """How long an order lives (FIX TimeInForce)."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"

    __hash__ = str.__hash__


class Liquidity(StrEnum):
    """Whether a fill took a resting order's price or was the resting order."""

    MAKER = "maker"
    TAKER = "taker"

    __hash__ = str.__hash__


class OrderState(StrEnum):
    """What we know of one decision; the legal steps are in `messages.order_states`."""

    CLAIMED = "claimed"
    """Durable, and surely not sent."""
    SENT = "sent"
    """Durable before the call; the venue may or may not have it."""
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    """Refused by the venue; final."""
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """Sent, and the answer proves nothing; settled by asking the venue."""
    NOT_SENT = "not_sent"
    """Proved never to have reached the venue; the one state that may be sent again."""
    REFUSED = "refused"
    """By risk or by age, before any send; final."""

    __hash__ = str.__hash__


class Instrument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The venue's grid for one symbol: quantities round down to it, prices to its ticks."""

    symbol: Symbol
    price_tick: Decimal = Decimal("0.01")
    quantity_step: Decimal = Decimal("0.00001")
    min_quantity: Decimal = Decimal("0.00001")
    min_notional: Decimal = Decimal("5")
    max_market_quantity: Decimal | None = None
    """Of one market order; None where it is not known."""

    @property
    def base(self) -> str:
        """The currency that is bought and sold."""
        return base_of(self.symbol)

    @property
    def quote(self) -> str:
        """The currency that is paid."""
        return quote_of(self.symbol)


GUESSED_DIGITS = 3
"""A tick that nobody told is at least so many places below a price's first digit."""
_FINEST_PLACE = -8
"""Of the ticks that exchanges have."""
DEAR_QUOTES = ("BTC", "ETH", "BNB")
"""Currencies that a symbol may be paid in, of which what is made for dollars is a fortune."""


def plain_instrument(symbol: Symbol) -> Instrument:
    """Give the grid that the paper venue has for every symbol."""
    if quote_of(symbol) not in DEAR_QUOTES:
        return Instrument(symbol=symbol)
    finest, least = Decimal("0.00000001"), Decimal("0.0001")
    return Instrument(symbol=symbol, price_tick=finest, min_notional=least)


def guessed_tick(price: Decimal) -> Decimal:
    """Give the coarsest tick that a market of such a price may be taken to have."""
    return Decimal((0, (1,), max(price.adjusted() - GUESSED_DIGITS, _FINEST_PLACE)))


class Protection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When the executor is to sell what a buy has brought, or to buy back what was sold.

    Prices of the symbol, in quote currency; `trailing` is a distance. None is none of it.
    """

    stop_loss: Decimal | None = None
    """Out at this price or worse; as it stands for as long as the position does."""
    take_profit: Decimal | None = None
    """Out at this price or better."""
    trailing: Decimal | None = None
    """Out so far behind the best price since the entry."""


class Target(msgspec.Struct, frozen=True, gc=False):
    """What a strategy wants to hold from now on; the order that leads there is found for it.

    Either `quantity`, base currency, or `notional`, quote currency at the price decided at; both
    signed: negative is short, 0 is flat. No `symbol` means that of the event decided on. The last
    three are a `Protection` of what the order that leads there adds, if it adds something.
    """

    quantity: Decimal | None = None
    reason: str = ""
    notional: Decimal | None = None
    symbol: Symbol | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse one that says both or nothing."""
        if (self.quantity is None) == (self.notional is None):
            raise ValueError("a Target needs either a quantity or a notional")
